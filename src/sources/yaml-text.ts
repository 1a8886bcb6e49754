// Parses pieces of YAML with js-yaml, and says in which line of the file a mistake is.

import { boolYaml11Tag, CORE_SCHEMA, defineScalarTag } from "js-yaml";
import { loadAll, mergeTag, strTag, YAMLException } from "js-yaml";
import type { LoadOptions } from "js-yaml";
import type { Place } from "./input-error.ts";
import { inputErrorAt } from "./input-error.ts";

/** Aliases per piece: they are cheap to write, and expensive to follow. */
const ALIASES_MAX = 1000;
/** V8 makes longer parts of a string slices of it. */
const SLICE_LENGTH_MIN = 13;

/** Text of its own: a slice would keep the whole piece in memory for as long as its object. */
const ownText = defineScalarTag("tag:yaml.org,2002:str", {
  resolve: (source) =>
    source.length < SLICE_LENGTH_MIN ? source : Buffer.from(source).toString(),
  identify: strTag.identify,
});

// YAML 1.2's core schema, in which times stay text, and what kubectl has beside it: `<<`, and the
// booleans of YAML 1.1. A label `yes` without quotes is none there, so it must be none here.
const OPTIONS: LoadOptions = {
  schema: CORE_SCHEMA.withTags(ownText, mergeTag, boolYaml11Tag),
  maxAliases: ALIASES_MAX,
};

/** The documents of `text`. Throws what js-yaml throws. */
export function parseYaml(text: string): unknown[] {
  return loadAll(text, OPTIONS);
}

/** What js-yaml threw for a piece of text that begins at `at`, as an InputError. */
export function yamlError(error: unknown, at: Place): Error {
  const problem = error instanceof YAMLException ? error.reason : String(error);
  const mark = error instanceof YAMLException ? error.mark : undefined;
  const place = { file: at.file, line: at.line + (mark?.line ?? 0) };
  return inputErrorAt(place, `not YAML: ${problem}; ${remedyFor(problem)}`);
}

function remedyFor(problem: string): string {
  if (problem.startsWith("unidentified alias")) {
    return "write the value out: an alias reaches only inside its document, or its list item";
  }
  if (problem.includes("maxAliases")) return "write the values out";
  if (problem.includes("tab characters")) return "indent with spaces";
  if (problem.includes("duplicated mapping key")) return "remove one of the two";
  return "check indentation, quotes and colons there";
}
