import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Members } from "./members.ts";

const ascending = (a: number, b: number) => a - b;

describe("the members of a policy", () => {
  test("stay sorted under insertions of any size and removals", () => {
    const batch = fc.uniqueArray(fc.nat(300), { maxLength: 60 });
    fc.assert(
      fc.property(fc.array(fc.tuple(batch, fc.array(fc.nat(300)))), (turns) => {
        const members = new Members();
        const model = new Set<number>();
        for (const [arriving, leaving] of turns) {
          for (const slot of leaving) {
            if (!model.delete(slot)) continue;
            members.removeAt(members.place(slot, ascending));
          }
          const fresh = arriving.filter((slot) => !model.has(slot)).sort(ascending);
          for (const slot of fresh) model.add(slot);
          if (fresh.length > 0) {
            const first = members.insert(fresh, ascending);
            assert.equal(members.at(first), fresh[0]);
          }
          assert.deepEqual(contents(members), [...model].sort(ascending));
        }
      }),
    );
  });
});

function contents(members: Members): number[] {
  return Array.from({ length: members.length }, (_, place) => members.at(place));
}
