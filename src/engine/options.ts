// What the engine is asked to compute.

import type { Distribution } from "../model/policy.ts";
import type { RowsMode } from "../plan/row.ts";

export interface EngineOptions {
  /** For policies without the annotation (rule 5.6). */
  readonly distribution: Distribution;
  /** Whose rows to derive; undefined: assignments only. */
  readonly scope: { readonly node: string; readonly rows: RowsMode } | undefined;
}
