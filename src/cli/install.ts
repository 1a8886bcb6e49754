// `sluice install`: applies what `sluice manifests` prints, and looks before it does.

import { KubeConnection } from "../drivers/kube/connection.ts";
import { getObject } from "../drivers/kube/objects.ts";
import { OperationError } from "../lib/operation-error.ts";
import { printable } from "../lib/text.ts";
import type { ManifestObject, ManifestOptions } from "../sinks/kubernetes/manifest-objects.ts";
import {
  agentContainer,
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
import { EXIT, UsageError, usageErrorOf } from "./command.ts";
import { clusterPlace } from "./kube-place.ts";
import type { ManifestSettings } from "./manifest-files.ts";
import { manifestFiles } from "./manifest-files.ts";
import { manifestSettings } from "./manifests.ts";
import type { Terminal } from "./terminal.ts";
import { version } from "./version.ts";

/** Applies all, in order; what was applied before a failure stays, and it may be called again. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  const given = manifestSettings(args);
  const options = { force: args.has("force"), dryRun: args.has("dry-run") };
  try {
    const connection = new KubeConnection(clusterPlace(args));
    try {
      const rival = await findCiliumEgressGateway(connection);
      if (rival !== undefined) tellRival(rival, terminal);
      const settings = await settledSettings(connection, given, terminal);
      const objects = await chooseObjects(connection, settings, terminal);
      if (options.dryRun) await tryAll(connection, objects, options, terminal);
      else await applyAll(connection, objects, options, terminal);
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw usageErrorOf(error);
  }
  if (!options.dryRun) {
    const follow = `kubectl -n ${given.namespace} rollout status daemonset/sluice-agent`;
    terminal.emit(`\nFollow it with: ${follow}\n`);
  }
  return EXIT.ok;
}

async function applyAll(
  connection: KubeConnection,
  objects: readonly ManifestObject[],
  options: ManifestOptions,
  { emit }: Terminal,
): Promise<void> {
  for (const one of objects) {
    await applyManifest(connection, one, options);
    emit(`applied ${manifestTitle(one)}\n`);
  }
}

/** What lies in a namespace that the dry run did not really make cannot be checked. */
async function tryAll(
  connection: KubeConnection,
  objects: readonly ManifestObject[],
  options: ManifestOptions,
  { emit }: Terminal,
): Promise<void> {
  const absent = new Set<string>();
  for (const { resource, name } of objects) {
    if (resource.kind !== "Namespace") continue;
    if ((await getObject(connection, resource, name)) === undefined) absent.add(name.name);
  }
  for (const one of objects) {
    const { namespace = "" } = one.name;
    if (absent.has(namespace)) {
      emit(`not checked ${manifestTitle(one)}: its namespace ${namespace} does not exist yet\n`);
      continue;
    }
    await applyManifest(connection, one, options);
    emit(`would apply ${manifestTitle(one)}\n`);
  }
}

/**
 * What is installed has a say where nothing is given: its image stays if it is this version's, and
 * is asked for if it may be another's. Words of the agents are given anew each time.
 */
async function settledSettings(
  connection: KubeConnection,
  given: ManifestSettings,
  { tell }: Terminal,
): Promise<ManifestSettings> {
  const agents = manifestObjects(given).find(({ resource }) => resource.kind === "DaemonSet");
  const found = agents && (await getObject(connection, agents.resource, agents.name));
  if (agents === undefined || found === undefined) return given;
  const { image, args } = agentContainer(found);
  const words = new Set(agentContainer(agents.object).args);
  const lost = args.filter((word) => !words.has(word));
  // What cleans nodes is no agent's command line.
  if (lost.length > 0 && args[0] === "agent") {
    tell(`The agents no longer get ${printable(lost.join(" "))}; --agent-arg would keep it.\n`);
  }
  if (given.image !== "" || image.startsWith("sluice:")) return given;
  if (image.endsWith(`:${version()}`)) return { ...given, image };
  throw new UsageError(
    `the agents' image is ${image}, and nothing says which one has version ${version()}`,
    `Give --image, for example --image ${image.replace(/(:[\w.-]+)?(@.*)?$/, "")}:${version()}`,
  );
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
