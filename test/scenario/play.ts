// Plays a story: its blocks one after another, and what each of them prints.

import { unreachable } from "../../src/lib/assert.ts";
import type { Address } from "../../src/net/address.ts";
import type { Prefix } from "../../src/net/prefix.ts";
import type { Row } from "../../src/plan/row.ts";
import { renderVerdict, rowTable, verdictOf } from "../../src/plan/verdict.ts";
import {
  renderAssignment,
  renderCondition,
  renderInside,
  renderIssue,
  renderRow,
} from "./render.ts";
import type { Action, Question } from "./script.ts";
import { DEFAULT_OPTIONS, scriptOf } from "./script.ts";
import type { Story } from "./story.ts";
import { World } from "./world.ts";

export interface Played {
  /** The same story with the output that it has now. */
  readonly story: Story;
  /** The world as it is at the end. */
  readonly world: World;
  /** Its `packet` lines, in order. */
  readonly packets: readonly AskedPacket[];
}

/** A packet that a story asks about, and what its node had then. */
export interface AskedPacket {
  readonly source: Address;
  readonly destination: Address;
  /** As printed. */
  readonly answer: string;
  /** The node's internal IPv4 address; undefined: it has none. */
  readonly self: Address | undefined;
  readonly rows: readonly Row[];
  /** Prefixes inside the cluster. */
  readonly inside: readonly Prefix[];
  /** The internal IPv4 address of the node that the source lives on; undefined: nowhere known. */
  readonly home: Address | undefined;
}

export function play(story: Story): Played {
  const world = new World(DEFAULT_OPTIONS);
  const script = scriptOf(story);
  const packets: AskedPacket[] = [];
  const blocks = story.blocks.map(({ lines }, i) => {
    const output = (script[i] ?? []).flatMap((action) => {
      const printed = act(world, action);
      if (action.kind === "packet") packets.push(asked(world, action, printed.join("\n")));
      return printed;
    });
    return { lines, output };
  });
  return { story: { ...story, blocks }, world, packets };
}

function asked(
  world: World,
  { source, destination }: Extract<Action, { kind: "packet" }>,
  answer: string,
): AskedPacket {
  const { nodes, endpoints } = world.now.view;
  const owners = [...endpoints.values()].filter(({ addresses }) => addresses.includes(source));
  const [home] = owners.flatMap(({ node }) => nodes.get(node)?.internalIPv4 ?? []);
  const inside = [...world.prefixes().all];
  return { source, destination, answer, self: world.nodeIP, rows: world.rows(), inside, home };
}

function act(world: World, action: Action): string[] {
  switch (action.kind) {
    case "options":
      world.setOptions(action.options);
      return [];
    case "change":
      world.add(action.changes);
      return [];
    case "turn":
      return world.turn();
    case "restart":
      return world.restart();
    case "ask":
      return answer(world, action.question);
    case "packet": {
      const table = rowTable(world.rows(), action.source);
      return [renderVerdict(verdictOf(table, action.destination, world.nodeIP))];
    }
    default:
      return unreachable(action);
  }
}

function answer(world: World, question: Question): string[] {
  switch (question) {
    case "rows":
      return world.rows().map(renderRow);
    case "assignments":
      return world.assignments().map(renderAssignment);
    case "issues":
      return world.plan().issues.map(renderIssue);
    case "conditions":
      return world.plan().policies.flatMap(({ name, conditions }) =>
        conditions.map((condition) => renderCondition(name, condition)),
      );
    case "counters": {
      const { endpoints, moves, rows } = world.counters;
      return [`${endpoints} endpoints touched, ${moves} moves, ${rows} row changes`];
    }
    case "inside":
      return renderInside(world.prefixes(), world.now.view);
    default:
      return unreachable(question);
  }
}
