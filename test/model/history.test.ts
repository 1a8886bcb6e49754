// What a failure prints is worth keeping: told as a story, a history goes as it went.

import assert from "node:assert/strict";
import { test } from "node:test";
import { live } from "../scenario/expand.ts";
import { play } from "../scenario/play.ts";
import { parseStory, renderStory } from "../scenario/story.ts";
import { check } from "./check.ts";
import { history, tellHistory, turnsOf } from "./history.ts";

test("a history that is told as a story goes the same", (t) => {
  check(
    t,
    history,
    (told) => {
      const story = parseStory(tellHistory(told));
      const { world, story: filled } = play(story);
      const expected = live(turnsOf(told), told.options, { restarts: false });
      assert.deepEqual(world.state(), expected.state());
      // Its outputs, once filled in, are read back and stand.
      const again = parseStory(renderStory(filled));
      assert.deepEqual(play(again).story, again);
    },
    { runs: 60, tell: tellHistory },
  );
});
