import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { speaksUtf8, wantsColour } from "./terminal.ts";

describe("terminal", () => {
  test("has colours only where a person looks, unless told otherwise", () => {
    assert.equal(wantsColour(true, { TERM: "xterm" }), true);
    assert.equal(wantsColour(false, { TERM: "xterm" }), false);
    assert.equal(wantsColour(true, { TERM: "dumb" }), false);
    assert.equal(wantsColour(true, { NO_COLOR: "1" }), false);
    assert.equal(wantsColour(true, { NO_COLOR: "" }), true);
    assert.equal(wantsColour(false, { FORCE_COLOR: "1" }), true);
    assert.equal(wantsColour(true, { FORCE_COLOR: "0" }), false);
    assert.equal(wantsColour(false, { FORCE_COLOR: "1", NO_COLOR: "1" }), true);
  });

  test("draws in Unicode where the locale that counts says so", () => {
    assert.equal(speaksUtf8({ LANG: "en_US.UTF-8" }), true);
    assert.equal(speaksUtf8({ LANG: "C.utf8" }), true);
    assert.equal(speaksUtf8({ LC_ALL: "C", LANG: "en_US.UTF-8" }), false);
    assert.equal(speaksUtf8({ LC_ALL: "", LC_CTYPE: "C.UTF-8", LANG: "C" }), true);
    assert.equal(speaksUtf8({}), false);
  });
});
