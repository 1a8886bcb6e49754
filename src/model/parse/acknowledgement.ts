// Reads what a NodeState acknowledges. Whatever is missing or malformed acknowledges nothing.

import type { Acknowledgement, PolicyAcknowledgement } from "../acknowledgement.ts";
import { Fields, isMapping } from "./fields.ts";

/** Undefined for what is no mapping at all. */
export function parseAcknowledgement(raw: unknown): Acknowledgement | undefined {
  if (!isMapping(raw)) return undefined;
  const status = Fields.of(raw).fields("status");
  const policies = status.each("policies").map(readPolicy);
  return {
    ready: status.boolean("ready"),
    message: status.string("message"),
    renewTime: status.string("renewTime"),
    policies: new Map(policies.map((policy) => [policy.name, policy])),
  };
}

function readPolicy(fields: Fields): PolicyAcknowledgement {
  return {
    name: fields.string("name"),
    generation: fields.integer("generation") ?? 0,
    rows: fields.integer("rows") ?? 0,
    digest: fields.string("digest"),
    message: fields.string("message"),
  };
}
