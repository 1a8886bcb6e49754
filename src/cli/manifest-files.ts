// What Sluice consists of in a cluster: the YAML below deploy/, with the reader's settings put in.
// The files are valid as they stand (`kubectl apply -f deploy/manifests` works too); settings are
// put into their text, so that comments stay.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compareBytes } from "../lib/order.ts";
import { version } from "./version.ts";

/** `deploy/` lies beside src/ and dist/. */
const DEPLOY = fileURLToPath(new URL("../../deploy/", import.meta.url));

export const DEFAULT_NAMESPACE = "sluice-system";

export interface ManifestSettings {
  readonly namespace: string;
  /** Empty: `sluice:VERSION`. */
  readonly image: string;
  /** More words of the agents' command line. */
  readonly agentArgs: readonly string[];
}

export interface ManifestFile {
  /** As in `manifests/50-agent.yaml`. */
  readonly name: string;
  /** YAML documents, each with the comments before it. */
  readonly text: string;
}

/** All files in the order in which they are applied. */
export function manifestFiles(settings: ManifestSettings): ManifestFile[] {
  return ["crds", "manifests"].flatMap((directory) =>
    readdirSync(join(DEPLOY, directory))
      .filter((name) => name.endsWith(".yaml"))
      .sort(compareBytes)
      .map((file) => {
        const text = readFileSync(join(DEPLOY, directory, file), "utf8");
        return { name: `${directory}/${file}`, text: withSettings(text, settings) };
      }),
  );
}

function withSettings(text: string, { namespace, image, agentArgs }: ManifestSettings): string {
  const more = agentArgs.map((word) => `, ${JSON.stringify(word)}`).join("");
  return text
    .replaceAll(DEFAULT_NAMESPACE, namespace)
    .replace(/^( +image: ).*$/m, (_, before: string) => before + (image || `sluice:${version()}`))
    .replace(/^( +args: \[agent\b[^\]]*)\]$/m, (_, before: string) => `${before}${more}]`);
}
