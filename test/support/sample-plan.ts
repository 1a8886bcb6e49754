// Plans built by hand, for tests of what is shown of them.

import { endpointKey } from "../../src/model/endpoint.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import { NO_LABELS } from "../../src/model/labels.ts";
import { NEWEST } from "../../src/model/policy.ts";
import type { Address } from "../../src/net/address.ts";
import { parseAddress } from "../../src/net/address.ts";
import type { Prefix } from "../../src/net/prefix.ts";
import { parsePrefix } from "../../src/net/prefix.ts";
import { present } from "../../src/lib/assert.ts";
import type { Assignment, Plan, PlanGateway, PlanPolicy, Stream } from "../../src/plan/plan.ts";
import type { Row } from "../../src/plan/row.ts";

export function address(text: string): Address {
  return present(parseAddress(text), text);
}

export function prefix(text: string): Prefix {
  return present(parsePrefix(text), text);
}

export function streamOf<T>(items: readonly T[]): Stream<T> {
  return { size: items.length, [Symbol.iterator]: () => items[Symbol.iterator]() };
}

/** The pod `shop/NAME` with its name as UID. */
export function endpoint(name: string, ...addresses: string[]): Endpoint {
  return {
    key: endpointKey(name, "shop", name),
    namespace: "shop",
    name,
    ownLabels: NO_LABELS,
    labels: NO_LABELS,
    addresses: addresses.map(address),
    node: "worker-1",
    createdAt: NEWEST,
    ciliumUid: "",
  };
}

/** `gw-1` at 10.0.0.1 with the egress IP 192.0.2.1, and so on. */
export function gateway(number: number, more: Partial<PlanGateway> = {}): PlanGateway {
  return {
    entry: number - 1,
    node: `gw-${number}`,
    gatewayIP: address(`10.0.0.${number}`),
    interface: "eth1",
    egressIPs: [address(`192.0.2.${number}`)],
    endpoints: 0,
    ...more,
  };
}

/** A policy `p` whose endpoint number i (from 0) uses gateway `uses[i]`. */
export function policyPlan(
  gateways: readonly PlanGateway[],
  uses: readonly (number | undefined)[],
  more: Partial<Plan> & { readonly policy?: Partial<PlanPolicy> } = {},
): Plan {
  const counted = gateways.map((one, i) => {
    return { ...one, endpoints: uses.filter((use) => use === i).length };
  });
  const assignments = uses.map((use, i): Assignment => {
    const pod = endpoint(`web-${i + 1}`, `10.1.0.${i + 1}`);
    const used = use === undefined ? undefined : present(counted[use], "gateway");
    return { policy: "p", endpoint: pod, addresses: pod.addresses, gateway: used };
  });
  const { policy, ...rest } = more;
  return {
    node: undefined,
    policies: [
      {
        name: "p",
        distribution: "round-robin",
        destinations: [prefix("203.0.113.0/24")],
        exclusions: [],
        endpoints: uses.length,
        conditions: [],
        gateways: counted,
        ...policy,
      },
    ],
    assignments: streamOf(assignments),
    rows: undefined,
    capacity: { mapSize: 16_384, rows: "needed", nodes: [], egressIPs: [] },
    issues: [],
    ...rest,
  };
}

export const NO_PLAN: Plan = { ...policyPlan([], []), policies: [], assignments: streamOf([]) };

export function row(source: string, destination: string, more: Partial<Row> = {}): Row {
  return {
    source: address(source),
    destination: prefix(destination),
    egressIP: address("192.0.2.1"),
    gatewayIP: address("10.0.0.1"),
    ifindex: 5,
    policy: "p",
    ...more,
  };
}
