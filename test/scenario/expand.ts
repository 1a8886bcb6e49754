// The same events told otherwise: none of it may change where the story ends. Versions of one
// object keep their order, for the last accepted one counts (rule 2.3); everything else may be
// reordered, repeated and taken together.

import type { ObjectChange } from "../../src/model/objects.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { DEFAULT_OPTIONS, scriptOf } from "./script.ts";
import type { Story } from "./story.ts";
import { World } from "./world.ts";

/** What one turn takes. */
export type Turn = readonly ObjectChange[];

/** Name -> the turns that must lead to the same state. */
export const RETELLINGS: Readonly<Record<string, (turns: readonly Turn[]) => readonly Turn[]>> = {
  reversed: (turns) => turns.map(reversed),
  duplicated: (turns) => turns.map((turn) => [...turn, ...turn]),
  repeated: (turns) => turns.flatMap((turn) => [turn, turn]),
  squashed: (turns) => [turns.flat()],
  "squashed and reversed": (turns) => [reversed(turns.flat())],
  "one by one": (turns) => turns.flat().map((change) => [change]),
  "reversed one by one": (turns) => reversed(turns.flat()).map((change) => [change]),
  "from empty": (turns) => [lasting(turns.flat())],
  "from empty, one by one": (turns) => lasting(turns.flat()).map((change) => [change]),
  resynced: (turns) => [...turns, lasting(turns.flat())],
};

/** The world in which the turns were taken; `restarts`: with a new engine after each of them. */
export function live(
  turns: readonly Turn[],
  options: EngineOptions,
  { restarts }: { readonly restarts: boolean },
): World {
  const world = new World(options);
  for (const turn of turns) {
    world.add(turn);
    world.turn();
    if (restarts) world.restart();
  }
  return world;
}

/** The turns of a story, and what it asks for at its end. */
export function eventsOf(story: Story): { turns: readonly Turn[]; options: EngineOptions } {
  const turns: ObjectChange[][] = [[]];
  let options = DEFAULT_OPTIONS;
  for (const action of scriptOf(story).flat()) {
    if (action.kind === "change") turns.at(-1)?.push(...action.changes);
    else if (action.kind === "turn") turns.push([]);
    else if (action.kind === "options") options = action.options;
  }
  return { turns, options };
}

function reversed(turn: Turn): Turn {
  return [...versionsOf(turn).values()].reverse().flat();
}

/** The objects that exist at the end: the last accepted version, and what was refused after it. */
function lasting(turn: Turn): Turn {
  return [...versionsOf(turn).values()].flatMap((changes) => {
    const last = changes.findLastIndex(({ refused }) => !refused);
    const kept = changes.slice(Math.max(last, 0));
    return kept[0]?.value === undefined && kept[0]?.refused === false ? kept.slice(1) : kept;
  });
}

/** The versions of each object, in order. */
export function versionsOf(turn: Turn): Map<string, ObjectChange[]> {
  const versions = new Map<string, ObjectChange[]>();
  for (const change of turn) {
    const id = `${change.kind}/${change.key}`;
    versions.set(id, [...(versions.get(id) ?? []), change]);
  }
  return versions;
}
