// `sluice install`: applies what `sluice manifests` prints, and looks before it does.

import { KubeConnection } from "../drivers/kube/connection.ts";
import { getObject } from "../drivers/kube/objects.ts";
import { OperationError } from "../lib/operation-error.ts";
import type { ManifestObject } from "../sinks/kubernetes/manifest-objects.ts";
import {
  applyManifest,
  manifestObject,
  manifestTitle,
} from "../sinks/kubernetes/manifest-objects.ts";
import {
  isOwnDefinition,
  lackingIn,
  POLICY_DEFINITION,
} from "../sinks/kubernetes/policy-definition.ts";
import { findCiliumEgressGateway } from "../sources/kubernetes/cilium-config.ts";
import { parseYaml } from "../sources/yaml-text.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, usageErrorOf } from "./command.ts";
import { clusterPlace } from "./kube-place.ts";
import type { ManifestSettings } from "./manifest-files.ts";
import { manifestFiles } from "./manifest-files.ts";
import { manifestSettings } from "./manifests.ts";
import type { Terminal } from "./terminal.ts";

/** Applies all, in order; what was applied before a failure stays, and it may be called again. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const settings = manifestSettings(args);
  const options = { force: args.has("force"), dryRun: args.has("dry-run") };
  try {
    const connection = new KubeConnection(clusterPlace(args));
    try {
      const rival = await findCiliumEgressGateway(connection);
      if (rival !== undefined) tellRival(rival, terminal);
      const objects = await chooseObjects(connection, settings, terminal);
      for (const one of objects) {
        await applyManifest(connection, one, options);
        terminal.emit(`${options.dryRun ? "would apply" : "applied"} ${manifestTitle(one)}\n`);
      }
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw usageErrorOf(error);
  }
  if (!options.dryRun) {
    const follow = `kubectl -n ${settings.namespace} rollout status daemonset/sluice-agent`;
    terminal.emit(`\nFollow it with: ${follow}\n`);
  }
  return EXIT.ok;
}

/** What keeps the agents from starting keeps nobody from installing them. */
function tellRival({ message, remedy }: OperationError, { tell, messages }: Terminal): void {
  tell(`${messages.paint("warning", message)}\n  No agent starts before that: ${remedy}.\n`);
}

/** The documents of the manifests. */
export function manifestObjects(settings: ManifestSettings): ManifestObject[] {
  return manifestFiles(settings).flatMap(({ text }) => {
    return parseYaml(text).map((document) => manifestObject(document as Record<string, unknown>));
  });
}

/** All of them but a definition of policies that is somebody else's, which is left as it is. */
async function chooseObjects(
  connection: KubeConnection,
  settings: ManifestSettings,
  { tell, messages }: Terminal,
): Promise<ManifestObject[]> {
  const objects = manifestObjects(settings);
  const definition = objects.find(({ name }) => name.name === POLICY_DEFINITION);
  if (definition === undefined) return objects;
  const found = await getObject(connection, definition.resource, definition.name);
  if (found === undefined || isOwnDefinition(found)) return objects;
  const lacking = lackingIn(found);
  const title = "The definition of policies is not Sluice's; it is left as it is.";
  tell(`${messages.paint("warning", title)}\n`);
  for (const sentence of lacking) tell(`  ${messages.glyphs.dot} ${sentence}\n`);
  if (lacking.length === 0) tell("  It can do what Sluice's can.\n");
  return objects.filter((one) => one !== definition);
}
