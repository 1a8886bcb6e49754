// What a node's agent says that its kernel holds: the part of a NodeState that is no fact about the
// node's network. It changes every minute, so it is kept out of the model.

import type { RowSum } from "./row-sum.ts";

/** One policy, as a node holds it. */
export interface PolicyAcknowledgement extends RowSum {
  readonly name: string;
  /** Of the spec that is in force on the node. */
  readonly generation: number;
  /** Why the kernel does not hold everything; empty: no reason is known. */
  readonly message: string;
}

export interface Acknowledgement {
  /** The node's kernel has what should be. */
  readonly ready: boolean;
  /** Why it has not. */
  readonly message: string;
  /** When it was written, by the node's clock. Only that it changes says anything. */
  readonly renewTime: string;
  readonly policies: ReadonlyMap<string, PolicyAcknowledgement>;
}
