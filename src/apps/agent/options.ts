// What an agent is told, and what it tells.

import type { Issue } from "../../model/issue.ts";
import type { Node } from "../../model/node.ts";
import type { Policy } from "../../model/policy.ts";
import type { Address } from "../../net/address.ts";
import type { KernelState } from "../../net/kernel-state.ts";
import type { Plan } from "../../plan/plan.ts";
import type { Row, RowChanges } from "../../plan/row.ts";
import type { NodeDatapath } from "../../reconcile/datapath.ts";
import type { DatapathOptions } from "./datapath.ts";
import type { Journal } from "./journal.ts";
import type { WorldOptions } from "./world.ts";

export interface AgentOptions extends WorldOptions, DatapathOptions {
  /** `none`: only the policy maps are written, for a datapath that reads Cilium's layout. */
  readonly datapath: "sluice" | "none";
  readonly legacyV4: boolean;
  /** Makes the kernel find out the MAC addresses of neighbours. */
  readonly probe: (addresses: readonly Address[]) => void;
  readonly log: (message: string, fields: Readonly<Record<string, string>>) => void;
  /** What `view` says of the kernel may have changed. */
  readonly onRun?: () => void;
  /** Told the name of every step that was done; for tests of restarts. */
  readonly onStep?: (name: string) => void;
}

export interface AgentView {
  /** How it fared so far. */
  readonly journal: Journal;
  readonly objectsSynced: boolean;
  /** Of the source of objects itself. */
  readonly objectIssues: readonly Issue[];
  /** Undefined: its first list has not come. */
  readonly kernel: KernelState | undefined;
  /** Works it out, O(endpoints); undefined: nothing is known yet. */
  readonly plan: (() => Plan) | undefined;
  readonly desired: NodeDatapath | undefined;
  readonly nodes: readonly Node[];
  /** Those in force. */
  readonly policies: readonly Policy[];
  /** The rows that this node should have, without lame ducks. */
  readonly admitted: readonly Row[];
  /** Of this node, lame ducks included. */
  readonly rows: number;
  /** What was done to them in the kernel since the agent began. */
  readonly rowChanges: RowChanges;
  readonly lameDucks: number;
}
