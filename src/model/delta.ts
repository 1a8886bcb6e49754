// What a turn of the model changed, for the engine: real differences only.

import type { Prefix } from "../net/prefix.ts";
import type { Change } from "./change.ts";
import type { Endpoint, EndpointKey } from "./endpoint.ts";
import type { Node, NodeState } from "./node.ts";
import type { Service } from "./objects.ts";
import type { Policy } from "./policy.ts";

export interface ModelDelta {
  readonly policies: readonly Change<string, Policy>[];
  readonly endpoints: readonly Change<EndpointKey, Endpoint>[];
  readonly nodes: readonly Change<string, Node>[];
  readonly states: readonly Change<string, NodeState>[];
}

/** The whole model at one moment: what the reference and `explain` read. */
export interface ModelView {
  readonly policies: ReadonlyMap<string, Policy>;
  readonly endpoints: ReadonlyMap<EndpointKey, Endpoint>;
  readonly nodes: ReadonlyMap<string, Node>;
  readonly states: ReadonlyMap<string, NodeState>;
  /** By key; what follows by name. */
  readonly services: ReadonlyMap<string, Service>;
  readonly serviceCidrs: ReadonlyMap<string, readonly Prefix[]>;
  readonly ipPools: ReadonlyMap<string, readonly Prefix[]>;
}
