// The files of the project as they are on disk: what was written, not what was installed or built.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Source } from "./source.ts";
import { makeSource } from "./source.ts";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const NOT_OURS = new Set([".git", "node_modules", "dist", "bin", "coverage"]);
const BINARY = /\.(png|jpe?g|gif|ico|woff2?|gz|o)$/;

/** Every file, by path from the root, sorted. */
export function readTree(root: string): Map<string, Source> {
  const paths = pathsBelow(root, "").sort();
  const texts = paths.filter((path) => !BINARY.test(path));
  return new Map(
    texts.map((path) => [path, makeSource(path, readFileSync(join(root, path), "utf8"))]),
  );
}

function pathsBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : pathsBelow(root, path);
    return entry.isFile() ? [path] : [];
  });
}

export type FileKind = "typescript" | "script" | "text";

export function kindOf({ path, text }: Source): FileKind {
  if (path.endsWith(".ts")) return "typescript";
  return text.startsWith("#!") || path === "Makefile" ? "script" : "text";
}
