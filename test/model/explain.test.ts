// What `explain` says of random pods and destinations against the reference's rows, read by a
// linear scan; and, where it names an egress IP at another node, against that node's own rows.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { reference } from "../../src/engine/reference.ts";
import type { ModelView } from "../../src/model/delta.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import type { Address } from "../../src/net/address.ts";
import { familyOf, parseAddress, unspecified } from "../../src/net/address.ts";
import { containsAddress, parsePrefix, prefixLength } from "../../src/net/prefix.ts";
import type { DestinationExplanation, Explanation } from "../../src/plan/explanation.ts";
import type { Row, RowsMode } from "../../src/plan/row.ts";
import { EXCLUDED_GATEWAY } from "../../src/plan/row.ts";
import { rowTable, verdictOf } from "../../src/plan/verdict.ts";
import { present } from "../../src/lib/assert.ts";
import { explained, node, nodeState, pod, policy, viewOf } from "../support/explained.ts";

const NODE_NAMES = ["n-0", "n-1", "n-2", "n-3"];
const ZONES = ["a", "b"];
const PREFIXES = ["0.0.0.0/0", "198.51.0.0/16", "198.51.0.0/24", "198.51.0.7/32", "10.0.0.0/8"];
const PREFIXES_V6 = ["::/0", "2001:db8::/32", "2001:db8::7/128"];
const DESTINATIONS = [
  ...["198.51.0.7", "198.51.0.8", "198.51.7.7", "203.0.113.1", "10.9.9.9"],
  ...["2001:db8::7", "2001:db8::8", "2001:db9::1"],
  ...["10.96.0.1", "10.0.0.3", "10.0.1.9", "192.168.1.1", "fd00::2"],
];
const CLUSTER_CIDR = "10.96.0.0/12";

const labelled = (key: string, values: readonly string[]) =>
  fc.constantFrom(...values).map((value) => ({ matchLabels: { [key]: value } }));

/** Addresses of a node's device; twice as often all of them, null where nothing is known. */
const STATES = (i: number): readonly (readonly string[] | null)[] => {
  const [v4, v6] = [`192.0.2.${i}/24`, `2001:db8:2::${i}/64`];
  return [[v4, v6], [v4, v6], [v4], [], null];
};

const nodes = fc
  .tuple(
    ...NODE_NAMES.map((name, i) => {
      return fc.record({
        name: fc.constant(name),
        ip: fc.option(fc.constant(`192.168.1.${i}`), { nil: undefined, freq: 5 }),
        zone: fc.constantFrom(...ZONES),
        state: fc.constantFrom(...STATES(i)),
        there: fc.boolean(),
      });
    }),
  )
  .map((all) =>
    all
      .filter(({ there }, i) => there || i < 2)
      .flatMap(({ name, ip, zone, state }) => [
        node(name, ip, { zone, name }, "10.0.1.0/24"),
        ...(state === null ? [] : [nodeState(name, ...state)]),
      ]),
  );

const pods = fc
  .array(
    fc.record({
      ips: fc.subarray(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "fd00::1", "fd00::2"], {
        minLength: 1,
        maxLength: 3,
      }),
      app: fc.constantFrom("web", "db"),
      on: fc.constantFrom(...NODE_NAMES, "nowhere", ""),
      day: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((all) =>
    all.map(({ ips, app, on, day }, i) => {
      const created = `2024-01-0${day}T00:00:00Z`;
      return pod(`web-${i}`, ips, { labels: { app }, node: on, created });
    }),
  );

const selectors = fc.array(
  fc.record({
    podSelector: fc.oneof(fc.constant({}), labelled("app", ["web", "db"])),
    nodeSelector: fc.oneof(fc.constant(undefined), fc.constant(undefined), labelled("zone", ZONES)),
  }),
  { minLength: 1, maxLength: 3 },
);

const entries = fc.array(
  fc
    .tuple(
      fc.oneof(
        labelled("zone", ZONES),
        labelled("name", NODE_NAMES),
        labelled("name", ["nobody"]),
      ),
      fc.constantFrom(
        {},
        {},
        { interface: "eth1" },
        { interface: "eth9" },
        { egressIP: "192.0.2.1" },
        { egressIP: "2001:db8:2::1" },
      ),
    )
    .map(([nodeSelector, more]) => ({ nodeSelector, ...more })),
  { minLength: 1, maxLength: 4 },
);

const policies = fc
  .array(
    fc.record({
      spec: fc.record({
        selectors,
        destinationCIDRs: fc.oneof(
          fc.subarray(PREFIXES, { minLength: 1 }),
          fc.subarray([...PREFIXES, ...PREFIXES_V6], { minLength: 1 }),
        ),
        excludedCIDRs: fc.subarray([...PREFIXES, ...PREFIXES_V6], { maxLength: 2 }),
        egressGateways: entries,
      }),
      distribution: fc.constantFrom("round-robin", "cilium-hash", "rendezvous"),
      day: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((all) =>
    all.map(({ spec, distribution, day }, i) => {
      const annotations = { "sluice.dev/distribution": distribution };
      const creationTimestamp = `2024-01-0${day}T00:00:00Z`;
      return policy(`p-${i}`, spec, { annotations, creationTimestamp });
    }),
  );

const objectsOf = fc.tuple(nodes, pods, policies).map((all) => all.flat() as readonly unknown[]);

/** The rows of a node as the reference has them. */
function rowsOn(name: string, view: ModelView, rows: RowsMode): readonly Row[] {
  return reference(view, { distribution: "round-robin", scope: { node: name, rows } }).rows;
}

/** The row that a packet meets: the longest prefix, found by looking at every row. */
function scan(rows: readonly Row[], source: Address, destination: Address): Row | undefined {
  let best: Row | undefined;
  for (const row of rows) {
    if (row.source !== source || !containsAddress(row.destination, destination)) continue;
    if (best && prefixLength(best.destination) > prefixLength(row.destination)) continue;
    best = row;
  }
  return best;
}

function isInside(view: ModelView, destination: Address): boolean {
  const owners = [...view.endpoints.values(), ...view.nodes.values()];
  if (owners.some(({ addresses }) => addresses.includes(destination))) return true;
  const cidrs = [...view.nodes.values()].flatMap(({ podCIDRs }) => podCIDRs);
  const all = [...cidrs, present(parsePrefix(CLUSTER_CIDR), "prefix")];
  return all.some((cidr) => containsAddress(cidr, destination));
}

interface Asked {
  readonly view: ModelView;
  readonly endpoint: Endpoint;
  readonly destination: Address;
  readonly told: DestinationExplanation;
  readonly rows: RowsMode;
}

/** Asks for one destination and checks every address that the endpoint holds. */
function checkDestination({ view, endpoint, destination, told, rows }: Asked): void {
  const { outcome, verdict, claims, sources } = told;
  assert.equal(outcome.kind === "untouched", isInside(view, destination));
  if (outcome.kind === "untouched") return;
  assert.equal(outcome.kind === "no-source", sources.length === 0);
  const here = rowsOn(endpoint.node, view, rows);
  const nodeIP = view.nodes.get(endpoint.node)?.internalIPv4;
  for (const source of sources) {
    const row = scan(here, source, destination);
    const expected = verdictOf(rowTable(here, source), destination, nodeIP);
    assert.deepEqual("row" in expected ? expected.row : undefined, row);
    assert.deepEqual([claims[0]?.policy, claims[0]?.prefix], [row?.policy, row?.destination]);
    assert.equal(claims[0]?.exclusion ?? false, row?.gatewayIP === EXCLUDED_GATEWAY);
    if (source === sources[0]) assert.deepEqual(verdict, expected);
    assert.equal(verdict?.kind, expected.kind);
    if (expected.kind === "tunnel") checkGateway({ view, told, source, destination, rows });
    if (expected.kind === "local") {
      assert.ok(outcome.kind === "leaves" && outcome.egressIP === expected.egressIP);
    }
    if (expected.kind === "drop") {
      assert.ok(outcome.kind === "drop" && outcome.reason === expected.reason);
    }
    const direct = expected.kind === "direct" || expected.kind === "excluded";
    assert.equal(outcome.kind === "ordinary", direct);
  }
}

/** The gateway looks the pair up in its own rows; `explain` has said beforehand what they say. */
function checkGateway(
  packet: Pick<Asked, "view" | "told" | "destination" | "rows"> & { readonly source: Address },
): void {
  const { view, told, source, destination, rows } = packet;
  const { outcome } = told;
  assert.ok(outcome.kind === "leaves" || outcome.kind === "drop");
  const there = scan(rowsOn(outcome.node, view, rows), source, destination);
  assert.equal(there?.gatewayIP, view.nodes.get(outcome.node)?.internalIPv4);
  const none = unspecified(familyOf(source));
  if (outcome.kind === "leaves") assert.equal(outcome.egressIP, there?.egressIP);
  else assert.deepEqual([outcome.reason, there?.egressIP], ["NoEgressIP", none]);
}

/** The policies that select the endpoint are those that the reference assigns it under. */
function checkPolicies(view: ModelView, { endpoint, policies: told }: Explanation): void {
  const { assignments } = reference(view, { distribution: "round-robin", scope: undefined });
  const own = assignments.filter((one) => one.endpoint === endpoint.endpoint.key);
  const selecting = told.flatMap(({ name, assignment }) => (assignment ? [name] : []));
  assert.deepEqual(selecting, own.map((one) => one.policy));
  for (const { policy: name, gateway } of own) {
    const explanation = told.find((one) => one.name === name)?.assignment;
    assert.equal(explanation?.gateway?.entry, gateway?.entry.entry);
  }
}

describe("explain", () => {
  test("says of random pods and destinations what the rows say [5.5, 6.8, 7.3, 7.6, 8.3]", () => {
    const seen = new Set<string>();
    const question = fc.record({
      objects: objectsOf,
      pod: fc.nat(),
      destinations: fc.uniqueArray(fc.constantFrom(...DESTINATIONS), { minLength: 3, maxLength: 5 }),
      rows: fc.constantFrom<RowsMode>("needed", "all"),
    });
    fc.assert(
      fc.property(question, ({ objects, pod: number, destinations, rows }) => {
        const view = viewOf(objects);
        const endpoints = [...view.endpoints.values()];
        const endpoint = present(endpoints[number % endpoints.length], "an endpoint");
        for (const text of destinations) {
          const destination = present(parseAddress(text), text);
          const clusterCidrs = [CLUSTER_CIDR];
          const asked = { objects, pod: endpoint.name, destination: text, clusterCidrs, rows };
          const explanation = explained(asked);
          const told = present(explanation.destinations[0], "the destination");
          checkDestination({ view, endpoint, destination, told, rows });
          checkPolicies(view, explanation);
          seen.add(`${told.outcome.kind} ${told.verdict?.kind ?? ""}`.trim());
        }
      }),
      { numRuns: 250 },
    );
    // A generator that never reaches an outcome would prove nothing about it.
    const byRows = ["drop drop", "drop tunnel", "leaves local", "leaves tunnel"];
    const others = ["no-source", "ordinary direct", "ordinary excluded", "untouched"];
    assert.deepEqual([...seen].sort(), [...byRows, ...others]);
  });

  test("says of every prefix what it says of an address in it that no longer one covers", () => {
    fc.assert(
      fc.property(objectsOf, fc.nat(), (objects, number) => {
        const endpoints = [...viewOf(objects).endpoints.values()];
        const endpoint = present(endpoints[number % endpoints.length], "an endpoint");
        const all = explained({ objects, pod: endpoint.name });
        for (const { prefix, outcome, claims } of all.destinations) {
          const address = FREE_ADDRESSES.map((text) => present(parseAddress(text), text)).find(
            (one) =>
              containsAddress(prefix, one) &&
              all.destinations.every(
                (other) =>
                  prefixLength(other.prefix) <= prefixLength(prefix) ||
                  !containsAddress(other.prefix, one),
              ),
          );
          if (address === undefined) continue;
          const [text] = FREE_ADDRESSES.filter((one) => parseAddress(one) === address);
          const asked = explained({ objects, pod: endpoint.name, destination: text as string });
          assert.deepEqual(asked.destinations[0]?.outcome, outcome);
          assert.deepEqual(asked.destinations[0]?.claims, claims);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** Outside of the cluster, at least one for each prefix that policies name. */
const FREE_ADDRESSES = [
  ...["203.0.113.1", "198.51.7.7", "198.51.0.8", "198.51.0.7", "10.9.9.9"],
  ...["2001:db9::1", "2001:db8::8", "2001:db8::7"],
];
