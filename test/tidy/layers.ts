// Who may import whom: the layer table of the architecture, and what the offline commands load.

import { posix } from "node:path";
import type { Finding } from "./rules.ts";
import type { Import, Source } from "./source.ts";
import { importsOf } from "./source.ts";

const VALUES = ["lib", "net"];
const MIDDLE = [...VALUES, "model", "drivers/kernel", "drivers/kube", "plan", "reconcile"];
const BELOW_APPS = [...MIDDLE, "engine", "sources", "sinks", "status"];
const APPS = ["apps/agent", "apps/controller", "apps/lab"];

/** Folder of src/ -> the folders that it may import, besides itself. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  net: ["lib"],
  model: VALUES,
  "drivers/kernel": VALUES,
  "drivers/kube": VALUES,
  plan: [...VALUES, "model"],
  engine: [...VALUES, "model", "plan"],
  reconcile: [...VALUES, "model", "plan"],
  sources: MIDDLE,
  sinks: MIDDLE,
  status: MIDDLE,
  "apps/agent": BELOW_APPS,
  "apps/controller": BELOW_APPS,
  "apps/lab": BELOW_APPS,
  cli: [...BELOW_APPS, ...APPS],
  // Types of the status API only, see `layering`.
  ui: ["status"],
};

/** npm package -> the folders that may load it. Everything else is ours or Node's. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@kubernetes/client-node": ["drivers/kube"],
  "js-yaml": ["sources", "drivers/kube"],
  koffi: ["drivers/kernel"],
  undici: ["drivers/kube"],
};

/** Folders that may load modules of Node: the middle does no input and output. */
const NODE_MODULES = new Set(
  Object.keys(LAYERS).filter((f) => !["net", "model", "plan", "engine", "reconcile"].includes(f)),
);

/** The folder of the layer table that holds `path`; undefined: none does. */
export function layerOf(path: string): string | undefined {
  const inSrc = path.replace(/^src\//, "");
  return Object.keys(LAYERS).find((folder) => inSrc.startsWith(`${folder}/`));
}

/** The file that a relative specifier names, as a path from the root. */
function targetOf(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier);
}

/** Imports of a file in src/ point to its own folder or to a lower layer. */
export function layering(source: Source): Finding[] {
  const { path } = source;
  if (!path.startsWith("src/")) return [];
  const rule = "layers";
  const layer = layerOf(path);
  if (layer === undefined) {
    const remedy = `put it into one of ${Object.keys(LAYERS).join(", ")}`;
    return [{ path, line: 1, rule, reason: "the file is in no layer", remedy }];
  }
  return importsOf(source).flatMap((found) => {
    const complaint = complain(path, layer, found);
    return complaint === undefined ? [] : [{ path, line: found.line, rule, ...complaint }];
  });
}

function complain(
  path: string,
  layer: string,
  { specifier, typeOnly }: Import,
): { reason: string; remedy: string } | undefined {
  const test = path.endsWith(".test.ts");
  if (!specifier.startsWith(".")) {
    if (test || mayLoad(layer, specifier)) return undefined;
    const reason = `${layer} loads ${specifier}`;
    return { reason, remedy: "leave it to the layer whose business it is" };
  }
  const target = targetOf(path, specifier);
  if (test && target.startsWith("test/")) return undefined;
  const to = layerOf(target);
  if (layer === "ui" && to === "status" && !typeOnly) {
    return { reason: "ui imports more than types", remedy: "import types; ask over HTTP" };
  }
  if (to === layer || (to !== undefined && LAYERS[layer]?.includes(to))) return undefined;
  return {
    reason: `${layer} imports ${to ?? target}`,
    remedy: `imports point down: ${layer} may use ${LAYERS[layer]?.join(", ") || "nothing"}`,
  };
}

function mayLoad(layer: string, specifier: string): boolean {
  if (specifier.startsWith("node:")) return NODE_MODULES.has(layer);
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  return PACKAGES[name]?.includes(layer) ?? false;
}

/**
 * What `entry` loads, itself included, as file or package -> the one that loads it; types are not
 * loaded. `lazy` false: only what is loaded before anything is called.
 */
export function closureOf(
  sources: ReadonlyMap<string, Source>,
  entry: string,
  { lazy }: { readonly lazy: boolean },
): Map<string, string | undefined> {
  const loadedBy = new Map<string, string | undefined>([[entry, undefined]]);
  // A Map takes additions while it is walked.
  for (const path of loadedBy.keys()) {
    const source = sources.get(path);
    if (source === undefined) continue;
    for (const { specifier, typeOnly, dynamic } of importsOf(source)) {
      if (typeOnly || (dynamic && !lazy)) continue;
      const target = specifier.startsWith(".") ? targetOf(path, specifier) : specifier;
      if (!loadedBy.has(target)) loadedBy.set(target, path);
    }
  }
  return loadedBy;
}

/** Pure JavaScript that runs wherever Node does. */
const PORTABLE = new Set(["js-yaml"]);

/**
 * The commands that work without a cluster load nothing native, no driver and no app. `door` is the
 * one file that leads to a live cluster; it is loaded when somebody asks for one, and not before.
 */
export function offline(
  sources: ReadonlyMap<string, Source>,
  entries: readonly string[],
  door = "",
): Finding[] {
  const indoors = new Map([...sources].filter(([path]) => path !== door));
  return entries.flatMap((entry) => {
    const early = closureOf(sources, entry, { lazy: false });
    const loadedBy = closureOf(indoors, entry, { lazy: true });
    for (const [target, loader] of early) loadedBy.set(target, loader);
    return [...loadedBy.keys()].filter(isNative).map((target) => ({
      path: entry,
      line: 1,
      rule: "offline",
      reason: `it loads ${chain(loadedBy, target).join(" <- ")}`,
      remedy: "offline commands run on any machine with Node: cut this chain",
    }));
  });
}

function isNative(target: string): boolean {
  if (/^src\/(drivers|apps)\//.test(target)) return true;
  return !target.startsWith("src/") && !target.startsWith("node:") && !PORTABLE.has(target);
}

/** From `target` up to the file where the chain of imports begins. */
function chain(loadedBy: ReadonlyMap<string, string | undefined>, target: string): string[] {
  const links: string[] = [];
  for (let at: string | undefined = target; at !== undefined; at = loadedBy.get(at)) links.push(at);
  return links;
}
