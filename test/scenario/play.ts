// Plays a story: its blocks one after another, and what each of them prints.

import { unreachable } from "../../src/lib/assert.ts";
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
}

export function play(story: Story): Played {
  const world = new World(DEFAULT_OPTIONS);
  const script = scriptOf(story);
  const blocks = story.blocks.map(({ lines }, i) => {
    const output = (script[i] ?? []).flatMap((action) => act(world, action));
    return { lines, output };
  });
  return { story: { ...story, blocks }, world };
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
