// The commands of a story as data: what happens to the model, and what is asked of it.
//
//   node NAME [rows needed|all]    whose rows; needed unless said otherwise
//   distribution NAME              for policies without the annotation
//   apply FILE...                  the objects of these files, with the next turn
//   delete KIND/[NS/]NAME...       likewise; KIND:UID where pods share a name
//   turn                           everything since the last turn; prints the row changes
//   restart                        a new engine from the model; prints rows that differ
//   rows, assignments              prints what there is now
//   issues, conditions             likewise, with those that only a whole plan has
//   counters                       what the last turn touched
//   inside                         what is inside the cluster
//   packet SRC -> DST:PORT/PROTO   what this node does with a packet

import assert from "node:assert/strict";
import { DISTRIBUTIONS } from "../../src/model/policy.ts";
import type { ObjectChange } from "../../src/model/objects.ts";
import type { Address } from "../../src/net/address.ts";
import { parseAddress } from "../../src/net/address.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import type { Story } from "./story.ts";
import { loadManifest, ObjectNames } from "./manifest.ts";

const QUESTIONS = ["rows", "assignments", "issues", "conditions", "counters", "inside"] as const;
export type Question = (typeof QUESTIONS)[number];

export type Action =
  | { readonly kind: "options"; readonly options: EngineOptions }
  | { readonly kind: "change"; readonly changes: readonly ObjectChange[] }
  | { readonly kind: "turn" }
  | { readonly kind: "restart" }
  | { readonly kind: "ask"; readonly question: Question }
  | { readonly kind: "packet"; readonly source: Address; readonly destination: Address };

export const DEFAULT_OPTIONS: EngineOptions = { distribution: "round-robin", scope: undefined };

/** The actions of every block, in order. */
export function scriptOf({ blocks, files }: Story): readonly (readonly Action[])[] {
  const reader = new Reader(files);
  return blocks.map(({ lines }) =>
    lines.filter((line) => !line.startsWith("#")).map((line) => reader.read(line)),
  );
}

class Reader {
  readonly #files: ReadonlyMap<string, string>;
  readonly #names = new ObjectNames();
  #options = DEFAULT_OPTIONS;

  constructor(files: ReadonlyMap<string, string>) {
    this.#files = files;
  }

  read(line: string): Action {
    const [command = "", ...words] = line.split(/\s+/);
    switch (command) {
      case "node":
        return this.#node(words);
      case "distribution":
        return this.#set({ distribution: oneOf(DISTRIBUTIONS, words[0]) });
      case "apply":
        return this.#change(words.flatMap((file) => this.#manifest(file)));
      case "delete":
        return this.#change(words.map((target) => this.#names.deletion(target)));
      case "turn":
      case "restart":
        return { kind: command };
      case "packet":
        return packet(line);
      default:
        return { kind: "ask", question: oneOf(QUESTIONS, command) };
    }
  }

  #node([node = "", word = "rows", rows = "needed"]: readonly string[]): Action {
    assert.equal(word, "rows");
    return this.#set({ scope: { node, rows: oneOf(["needed", "all"] as const, rows) } });
  }

  #set(options: Partial<EngineOptions>): Action {
    this.#options = { ...this.#options, ...options };
    return { kind: "options", options: this.#options };
  }

  #manifest(file: string): ObjectChange[] {
    return loadManifest(this.#files.get(file) ?? assert.fail(`the story has no file ${file}`));
  }

  #change(changes: readonly ObjectChange[]): Action {
    for (const change of changes) this.#names.note(change);
    return { kind: "change", changes };
  }
}

/** `packet 10.0.1.5 -> 198.51.100.7:443/tcp`, `packet fd00::5 -> [2001:db8::7]:443/tcp`. */
function packet(line: string): Action {
  const match = /^packet (\S+) -> \[?([^\]]+)\]?:(\d+)\/(\w+)$/.exec(line);
  const source = parseAddress(match?.[1] ?? "");
  const destination = parseAddress(match?.[2] ?? "");
  assert(source !== undefined && destination !== undefined, `not a packet: ${line}`);
  return { kind: "packet", source, destination };
}

function oneOf<T extends string>(known: readonly T[], word: string | undefined): T {
  const found = known.find((one) => one === word);
  return found ?? assert.fail(`${word} is none of ${known.join(", ")}`);
}
