import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeScreen } from "../lib/screen.ts";
import { optionsOf } from "./arguments.ts";
import { COMMANDS } from "./commands.ts";
import { renderHelp, renderOverview } from "./help.ts";

const NARROW = makeScreen({ columns: 80, linesMax: 40, unicode: false, colour: false });

describe("help", () => {
  test("names every command", () => {
    let text = "";
    renderOverview(COMMANDS, NARROW, (piece) => (text += piece));
    for (const { name, summary } of COMMANDS) assert.match(text, new RegExp(`${name} +${summary}`));
  });

  test("of each command shows all options and examples and fits 80 columns", () => {
    for (const command of COMMANDS) {
      let text = "";
      renderHelp(command, NARROW, (piece) => (text += piece));
      for (const { name } of optionsOf(command)) assert.ok(text.includes(`--${name}`));
      const examples = command.examples.map((one) => `  ${one.command}`);
      for (const line of text.split("\n")) {
        if (!examples.includes(line)) assert.ok(line.length <= 80, line);
      }
      for (const example of examples) assert.ok(text.includes(example));
    }
  });
});
