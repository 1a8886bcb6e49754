// What is inside the cluster (rule 8.2), naively: everything that the objects say, and each prefix
// compared with all others.

import assert from "node:assert/strict";
import type { Cluster } from "../../src/model/cluster.ts";
import type { ModelView } from "../../src/model/delta.ts";
import type { Address } from "../../src/net/address.ts";
import { familyOf } from "../../src/net/address.ts";
import type { Prefix } from "../../src/net/prefix.ts";
import {
  bitsOf,
  comparePrefixes,
  containsPrefix,
  parsePrefix,
  prefixOf,
} from "../../src/net/prefix.ts";

const EXTRA = ["10.0.0.0/25", "198.18.0.0/15", "fd00::/96"].map((text) => {
  return parsePrefix(text) ?? assert.fail(text);
});

const NEAR = ["169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "fe80::/10", "ff00::/8"].map(
  (text) => parsePrefix(text) ?? assert.fail(text),
);

interface NaiveInside {
  readonly all: readonly Prefix[];
  readonly pods: readonly Prefix[];
  readonly known: boolean;
}

export function insideNaively(view: ModelView, extra: readonly Prefix[]): NaiveInside {
  const nodes = [...view.nodes.values()];
  const podRanges = [...nodes.map(({ podCIDRs }) => podCIDRs), ...view.ipPools.values()].flat();
  const others = [...view.serviceCidrs.values(), extra].flat();
  const endpoints = [...view.endpoints.values()].flatMap(single);
  const hosts = [...nodes, ...view.services.values()].flatMap(single);
  return {
    all: maximal([...podRanges, ...others, ...endpoints, ...hosts, ...NEAR]),
    pods: maximal([...(podRanges.length > 0 ? podRanges : extra), ...endpoints]),
    known: podRanges.length > 0 || others.length > 0,
  };
}

function single({ addresses }: { readonly addresses: readonly Address[] }): Prefix[] {
  return addresses.map((address) => prefixOf(address, bitsOf(familyOf(address))));
}

function maximal(prefixes: readonly Prefix[]): Prefix[] {
  const unique = [...new Set(prefixes)];
  return unique
    .filter((one) => !unique.some((other) => other !== one && containsPrefix(other, one)))
    .sort(comparePrefixes);
}

/** Whatever was added before, and what is left as it is given again. */
export function checkInside(cluster: Cluster, view: ModelView): void {
  for (const extra of [[], EXTRA, []]) {
    const told = cluster.prefixes({ extra });
    const { all, pods, known } = told;
    assert.deepEqual({ all, pods, known }, insideNaively(view, extra), "what is inside");
    for (const { name, podCIDRs } of view.nodes.values()) {
      assert.deepEqual(told.podsOf(name), podCIDRs, `podCIDRs of ${name}`);
    }
    assert.equal(cluster.prefixes({ extra: [...extra] }), told, "nothing changed, nothing new");
  }
}
