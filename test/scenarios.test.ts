// Every story of test/scenarios: as written, against the naive reference at each turn, and told in
// other ways. UPDATE=1 rewrites the outputs of the stories; read the difference.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { eventsOf, live, RETELLINGS } from "./scenario/expand.ts";
import { play } from "./scenario/play.ts";
import { parseStory, renderStory } from "./scenario/story.ts";

const FOLDER = join(import.meta.dirname, "scenarios");

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".txtar")).sort()) {
  const path = join(FOLDER, file);
  const text = readFileSync(path, "utf8");
  const story = parseStory(text);

  describe(`${file}: ${story.title}`, () => {
    test("goes as written", () => {
      const played = renderStory(play(story).story);
      if (process.env["UPDATE"] === "1") writeFileSync(path, played);
      else assert.equal(played, text);
    });

    test("ends the same however it is told", () => {
      const { turns, options } = eventsOf(story);
      const expected = play(story).world.state();
      for (const [name, retell] of Object.entries(RETELLINGS)) {
        for (const restarts of [false, true]) {
          const world = live(retell(turns), options, { restarts });
          assert.deepEqual(world.state(), expected, restarts ? `${name}, with restarts` : name);
        }
      }
    });
  });
}
