// Random histories of a cluster, and how they are told: a history that fails is printed as a story,
// to be kept in test/scenarios.

import fc from "fast-check";
import { dump } from "js-yaml";
import type { ObjectChange } from "../../src/model/objects.ts";
import { DISTRIBUTIONS } from "../../src/model/policy.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import type { Turn } from "../scenario/expand.ts";
import { changesOf, deletion } from "../scenario/manifest.ts";
import type { Block } from "../scenario/story.ts";
import { renderStory } from "../scenario/story.ts";
import type { Flat } from "./objects.ts";
import { flatObject, manifestOf } from "./objects.ts";

/** Objects that a history begins with, at most. */
const CLUSTER_SIZE = 48;

/** What somebody does to the API server. */
type Deed =
  /** The object becomes this; `only` (if it exists): one of its fields does. */
  | { readonly kind: "put"; readonly object: Flat; readonly only: number | undefined }
  | { readonly kind: "delete"; readonly object: Flat };

/** What has come to pass: whole objects. */
export interface Event {
  readonly object: Flat;
  readonly deleted: boolean;
}

export interface History {
  readonly options: EngineOptions;
  readonly turns: readonly (readonly Event[])[];
}

const put = fc.record({
  kind: fc.constant("put" as const),
  object: flatObject,
  only: fc.option(fc.nat(7), { nil: undefined }),
});
const remove = fc.record({ kind: fc.constant("delete" as const), object: flatObject });
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 5, arbitrary: put },
  { weight: 1, arbitrary: remove },
);

const scope = fc.record({
  node: fc.constantFrom("gw-1", "gw-1", "gw-10", "w-1", "nowhere"),
  rows: fc.constantFrom("needed" as const, "all" as const),
});

export const engineOptions: fc.Arbitrary<EngineOptions> = fc.record({
  distribution: fc.constantFrom(...DISTRIBUTIONS),
  scope: fc.option(scope, { nil: undefined, freq: 9 }),
});

/** An array of random length is mostly short; this cluster is not, and shrinks to nothing. */
const ground = fc
  .tuple(...new Array<typeof put>(CLUSTER_SIZE).fill(put).map((one) => fc.option(one, { freq: 3 })))
  .map((deeds) => deeds.filter((one) => one !== null));

/** A cluster, and then what happens to it in turns. */
export const history: fc.Arbitrary<History> = fc
  .record({
    options: engineOptions,
    first: ground,
    later: fc.array(fc.array(deed, { maxLength: 4 }), { maxLength: 8 }),
  })
  .map(({ options, first, later }) => ({ options, turns: comeToPass([first, ...later]) }));

/** Resolves changes of one field against the object as it is at that time. */
function comeToPass(turns: readonly (readonly Deed[])[]): (readonly Event[])[] {
  const living = new Map<string, Flat>();
  return turns.map((turn) =>
    turn.map((one) => {
      const id = `${one.object.kind}/${one.object.key}`;
      const old = living.get(id);
      if (one.kind === "delete") {
        living.delete(id);
        return { object: old ?? one.object, deleted: true };
      }
      const object = old === undefined ? one.object : edited(old, one.object, one.only);
      living.set(id, object);
      return { object, deleted: false };
    }),
  );
}

function edited(old: Flat, next: Flat, only: number | undefined): Flat {
  if (only === undefined) return next;
  // Names come first and do not change.
  const paths = Object.keys(next.fields).filter((path) => next.fields[path] !== old.fields[path]);
  const path = paths[only % Math.max(paths.length, 1)];
  if (path === undefined) return old;
  return { ...old, fields: { ...old.fields, [path]: next.fields[path] } };
}

export function turnsOf({ turns }: History): readonly Turn[] {
  return turns.map((events) => events.flatMap(changesOfEvent));
}

export function changesOfEvent({ object, deleted }: Event): ObjectChange[] {
  return deleted ? [deletion(object.kind, object.key)] : changesOf(manifestOf(object));
}

/** The history as a story without outputs; UPDATE=1 fills them in. */
export function tellHistory({ options, turns }: History): string {
  const files = new Map<string, string>();
  const { scope: seen, distribution } = options;
  const lines = ["# A random history, shrunk. []", `distribution ${distribution}`];
  if (seen !== undefined) lines.push(`node ${seen.node} rows ${seen.rows}`);
  const blocks: Block[] = [{ lines, output: [] }];
  for (const [i, events] of turns.entries()) {
    const commands = groups(events).map((group, j) => {
      const deletions = group.filter(({ deleted }) => deleted);
      if (deletions.length > 0) {
        return `delete ${deletions.map(({ object: { kind, key } }) => `${kind}:${key}`).join(" ")}`;
      }
      const name = `turn-${i + 1}-${j + 1}.yaml`;
      files.set(name, group.map(({ object }) => dump(manifestOf(object), YAML)).join("---\n"));
      return `apply ${name}`;
    });
    blocks.push({ lines: [...commands, "turn"], output: [] });
  }
  blocks.push({ lines: ["assignments"], output: [] });
  return renderStory({ title: "", blocks, files });
}

const YAML = { flowLevel: 2, lineWidth: -1 };

/** Runs of deletions, and of everything else. */
function groups(events: readonly Event[]): Event[][] {
  const found: Event[][] = [];
  for (const event of events) {
    const last = found.at(-1);
    if (last?.[0]?.deleted === event.deleted) last?.push(event);
    else found.push([event]);
  }
  return found;
}
