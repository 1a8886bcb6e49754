// `sluice manifests`: prints what an installation consists of.

import { checkAgentWords } from "./agent-settings.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError } from "./command.ts";
import type { ManifestSettings } from "./manifest-files.ts";
import { DEFAULT_NAMESPACE, manifestFiles } from "./manifest-files.ts";
import type { Terminal } from "./terminal.ts";

/** Prints the files one after the other, as one YAML stream. */
export function run(args: Arguments, { emit }: Terminal): Exit {
  const part = args.choice("part", ["all", "crds", "rest"]);
  const files = manifestFiles(manifestSettings(args)).filter(({ name }) => {
    return part === "all" || name.startsWith("crds/") === (part === "crds");
  });
  emit(files.map(({ text }) => text).join("---\n"));
  return EXIT.ok;
}

/** A label of DNS, as the name of a Namespace must be (RFC 1123). */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const IMAGE = /^[A-Za-z0-9][\w.:/@-]*$/;

/** The settings of a command that has these options. */
export function manifestSettings(args: Arguments): ManifestSettings {
  const namespace = args.text("namespace") ?? DEFAULT_NAMESPACE;
  const image = args.text("image") ?? "";
  if (!NAMESPACE.test(namespace)) {
    throw new UsageError(
      `--namespace '${namespace}' is no name of a namespace`,
      "Write lower-case letters, digits and dashes, as in sluice-system.",
    );
  }
  if (image !== "" && !IMAGE.test(image)) {
    throw new UsageError(`--image '${image}' is no image`, "Write HOST/NAME:TAG or …@DIGEST.");
  }
  const agentArgs = args.all("agent-arg");
  checkAgentWords(agentArgs);
  return { namespace, image, agentArgs };
}
