// The step that writes the policy rows, which a node has with and without a datapath of ours.

import type { PolicyMaps } from "../../sinks/policy-maps.ts";
import { rowChanges } from "../../sinks/policy-maps.ts";
import type { Step } from "./applier.ts";
import { checked } from "./datapath.ts";
import type { RowTrail } from "./row-trail.ts";

/** The trail is told what it did, also when it could not do all. */
export function rowsStep(maps: PolicyMaps, trail: RowTrail): Step {
  return {
    name: "rows",
    async act({ rows, prune }) {
      const outcomes = await maps.apply(rows, { prune });
      trail.noteRows(rowChanges(outcomes));
      checked(outcomes);
    },
  };
}
