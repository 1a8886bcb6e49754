// The step that writes the policy rows, which a node has with and without a datapath of ours.

import type { RowChanges } from "../../plan/row.ts";
import type { PolicyMaps } from "../../sinks/policy-maps.ts";
import { rowChanges } from "../../sinks/policy-maps.ts";
import type { Step } from "./applier.ts";
import { checked } from "./datapath.ts";

/** `told`: what it did, also when it could not do all. */
export function rowsStep(maps: PolicyMaps, told: (changes: RowChanges) => void): Step {
  return {
    name: "rows",
    async act({ rows, prune }) {
      const outcomes = await maps.apply(rows, { prune });
      told(rowChanges(outcomes));
      checked(outcomes);
    },
  };
}
