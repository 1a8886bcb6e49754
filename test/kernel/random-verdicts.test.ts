// What becomes of a packet, asked of everybody who has an opinion: `explain`, the reference's rows
// read by a linear scan, the rows of the agent's world, and the compiled programs with maps filled
// by that world. Random clusters, pods, destinations and packets of every shape.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { after, test } from "node:test";
import fc from "fast-check";
import { AddressOwners } from "../../src/apps/agent/address-owners.ts";
import { World } from "../../src/apps/agent/world.ts";
import { present, unreachable } from "../../src/lib/assert.ts";
import type { ModelView } from "../../src/model/delta.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import type { Address } from "../../src/net/address.ts";
import { familyOf, renderAddress, unspecified } from "../../src/net/address.ts";
import type { KernelState, Link } from "../../src/net/kernel-state.ts";
import { bitsOf, prefixOf } from "../../src/net/prefix.ts";
import type { Outcome } from "../../src/plan/explanation.ts";
import type { Row } from "../../src/plan/row.ts";
import { DROP_GATEWAY, EXCLUDED_GATEWAY } from "../../src/plan/row.ts";
import { renderVerdict, rowTable, verdictOf } from "../../src/plan/verdict.ts";
import { checkAsync } from "../model/check.ts";
import {
  addressAt,
  CLUSTER_CIDRS,
  clusterPrefixes,
  DESTINATIONS,
  endpointAt,
  isInside,
  question,
  rowsOn,
  scan,
} from "../model/questions.ts";
import { explained, GW, nodeState, parsed, policy, viewOf } from "../support/explained.ts";
import { sized } from "../support/soak.ts";
import { ifindexOf, objectMissing } from "./datapath-node.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns, shell } from "./private-netns.ts";
import type { Frame } from "./program-run.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import type { Asked } from "./verdict-node.ts";
import { INSIDE, SPOOFED, VerdictNode } from "./verdict-node.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? objectMissing() ?? false;

/** The device of all pods, and one that is nobody's. */
const devices = skip === false ? makeDevices() : { pods: 0, other: 0 };
const nodes = new Map<Address, VerdictNode>();
after(() => nodes.forEach((node) => node.close()));

function makeDevices(): { pods: number; other: number } {
  shell("ip link add pod-a type veth peer name pod-b; ip link set pod-a up; ip link set pod-b up");
  return { pods: ifindexOf("pod-a"), other: ifindexOf("pod-b") };
}

function nodeAt(self: Address): VerdictNode {
  let node = nodes.get(self);
  if (node === undefined) {
    node = new VerdictNode(join(bpffs.directory, renderAddress(self).replaceAll(".", "-")), self);
    nodes.set(self, node);
  }
  return node;
}

/** Nothing behind the addresses, and no tag before them, makes a difference. */
const shape = fc.record({
  protocol: fc.constantFrom(1, 6, 17, 58, 132, 47, 253, 0, 43, 44, 60),
  fragment: fc.constantFrom(0, 0x4000, 0x2000, 0x00b9),
  tags: fc.constantFrom<number[]>([], [], [0], [7, 0]),
});

/** An agent always knows its own node, so whoever has no state gets one; and one more policy. */
function completed(objects: readonly object[]): object[] {
  const described = objects as readonly { kind: string; metadata: { name: string } }[];
  const named = (kind: string) =>
    new Set(described.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name));
  const states = named("NodeState");
  const missing = [...named("Node"), ...named("CiliumNode")].filter((name) => !states.has(name));
  const addresses = ["192.0.2.10/24", "2001:db8:1::10/64"];
  return [...objects, NOBODYS, ...missing.map((name) => nodeState(name, ...addresses))];
}

/** Covers a destination that no other does, and has no gateway: else few policies have none. */
const NOBODYS = policy("nobodys", {
  selectors: [{ podSelector: {} }],
  destinationCIDRs: ["2001:db8:e::/64", "203.0.114.0/24"],
  egressGateways: [GW("none")],
});

/** A kernel that finds all these addresses behind one device. */
function kernelWith(addresses: readonly Address[]): KernelState {
  const link: Link = {
    ...{ ifindex: devices.pods, name: "pod-a", altNames: [], kind: "veth", mac: "", mtu: 1500 },
    ...{ up: true, carrier: true, master: 0, peerElsewhere: true, addresses: [] },
  };
  const routes = addresses.map((address) => ({
    ...{ family: familyOf(address), device: "pod-a", via: undefined, metric: 0, table: 254 },
    ...{ destination: prefixOf(address, bitsOf(familyOf(address))), protocol: 2 },
  }));
  return { links: [link], routes, neighbours: [], bridgeEntries: [] };
}

/** The node as its agent programs it; the rows that it has then. */
async function program(node: VerdictNode, world: World): Promise<readonly Row[]> {
  const { rows, held } = world.admittedRows();
  const kernel = kernelWith(world.ownAddresses());
  const datapath = world.datapath(node, { rows, held, kernel });
  await node.fill(rows, present(datapath, "what is inside the cluster"));
  return rows;
}

/** The words of `renderVerdict` for what `explain` says happens on the pod's node. */
function wordsOf(outcome: Outcome, { nodes: known }: ModelView): string {
  switch (outcome.kind) {
    case "untouched":
      return INSIDE;
    case "ordinary":
      return outcome.reason === "Excluded" ? "excluded" : "direct";
    case "no-source":
      return assert.fail("a packet needs a source");
    case "drop":
    case "leaves": {
      const gateway = known.get(outcome.node)?.internalIPv4;
      if (outcome.tunnelled) return `tunnel ${renderAddress(present(gateway, outcome.node))}`;
      if (outcome.kind === "drop") return `drop ${outcome.reason}`;
      return `local ${renderAddress(present(outcome.egressIP ?? undefined, "an egress IP"))}`;
    }
    default:
      return unreachable(outcome);
  }
}

/** What a row means, from the contract: rule 8.3. */
function wordsOfRow(row: Row | undefined, self: Address): string {
  if (row === undefined) return "direct";
  const { gatewayIP, egressIP, source } = row;
  if (gatewayIP === EXCLUDED_GATEWAY) return "excluded";
  if (gatewayIP === DROP_GATEWAY) return "drop NoGateway";
  if (gatewayIP !== self) return `tunnel ${renderAddress(gatewayIP)}`;
  const has = egressIP !== unspecified(familyOf(source));
  return has ? `local ${renderAddress(egressIP as Address)}` : "drop NoEgressIP";
}

interface Shaped {
  readonly question: typeof question extends fc.Arbitrary<infer T> ? T : never;
  readonly shape: Pick<Frame, "protocol" | "fragment" | "tags">;
}

/** How many pods of a cluster are asked about. */
const PODS = 3;

/** Asks everybody about pods of one cluster; gives what they agree on, by packet. */
async function agree(t: TestContext, one: Shaped): Promise<string[]> {
  const objects = completed(one.question.objects);
  const view = viewOf(objects);
  const places = Array.from({ length: PODS }, (_, i) => one.question.place + i);
  const pods = new Set(places.flatMap((place) => endpointAt(view, place) ?? []));
  const answers: string[] = [];
  for (const pod of pods) answers.push(...(await agreeOnPod(t, { ...one, objects, view, pod })));
  return answers;
}

interface AskedPod extends Shaped {
  readonly objects: readonly object[];
  readonly view: ModelView;
  readonly pod: Endpoint;
}

async function agreeOnPod(
  t: TestContext,
  { objects, view, pod, question: { rows: mode }, shape: form }: AskedPod,
): Promise<string[]> {
  const self = view.nodes.get(pod.node)?.internalIPv4;
  // No agent can serve it.
  if (self === undefined) return [];
  const node = nodeAt(self);
  const settings = { distribution: "round-robin", mapSize: 16_384 } as const;
  const scope = { node: pod.node, rows: mode, clusterCIDRs: clusterPrefixes() };
  const world = new World({ ...scope, ...settings }, new AddressOwners(temporaryDirectory(t)));
  world.take(objects.map(parsed));
  const rows = await program(node, world);
  const naive = rowsOn(pod.node, view, mode);
  const answers: string[] = [];
  const families = new Set(pod.addresses.map(familyOf));
  for (const text of DESTINATIONS.filter((one) => families.has(familyOf(addressAt(one))))) {
    const asked = { objects, pod: pod.key, clusterCidrs: CLUSTER_CIDRS, rows: mode };
    const [told] = explained({ ...asked, destination: text }).destinations;
    const { sources, outcome } = present(told, "the destination");
    const destination = addressAt(text);
    const inside = isInside(view, destination);
    for (const source of sources) {
      const row = scan(naive, source, destination);
      const verdict = verdictOf(rowTable(rows, source), destination, self);
      const voices = {
        explain: wordsOf(outcome, view),
        reference: inside ? INSIDE : wordsOfRow(row, self),
        rows: inside ? INSIDE : renderVerdict(verdict),
      };
      const packet = { source, destination, shape: fitting(form, source) };
      answers.push(await askKernel(node, packet, voices));
    }
  }
  return answers;
}

/** The programs must say what all others say; and of another device, that it is no pod's. */
async function askKernel(
  node: VerdictNode,
  packet: Omit<Asked, "ifindex">,
  voices: Readonly<Record<string, string>>,
): Promise<string> {
  const kernel = await node.ask({ ...packet, ifindex: devices.pods });
  const agreed = Object.fromEntries(Object.keys(voices).map((who) => [who, kernel]));
  assert.deepEqual(voices, agreed);
  const borrowed = await node.ask({ ...packet, ifindex: devices.other });
  assert.equal(borrowed, kernel === INSIDE ? INSIDE : SPOOFED);
  return `${familyOf(packet.source)} ${kernel.replace(/^(tunnel|local) .*/, "$1")}`;
}

/** IPv6 has no fragments without an extension header. */
function fitting(form: Shaped["shape"], source: Address): Shaped["shape"] {
  return familyOf(source) === "IPv4" ? form : { ...form, fragment: 0 };
}

/** What a run must have met, or it proves little; of IPv6 there is less. */
const KINDS = [
  ...["direct", "drop NoEgressIP", "drop NoGateway", "excluded", INSIDE, "local", "tunnel"].map(
    (kind) => `IPv4 ${kind}`,
  ),
  ...["direct", "drop NoGateway", INSIDE].map((kind) => `IPv6 ${kind}`),
];

test("explain, reference, rows and kernel agree on random packets [7.3, 8.1, 8.3, 8.9]", {
  skip,
}, async (t) => {
  const seen = new Map<string, number>();
  const runs = sized(120, 2_000);
  await checkAsync(t, fc.record({ question, shape }), async (one) => {
    for (const answer of await agree(t, one)) seen.set(answer, (seen.get(answer) ?? 0) + 1);
  }, { runs });
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
  const sorted = [...seen].sort(([a], [b]) => (a < b ? -1 : 1));
  t.diagnostic(`${total} packets: ${sorted.map((one) => one.join(" ")).join(", ")}`);
  if (process.env["SLUICE_FC_RUNS"] !== undefined) return;
  assert.deepEqual(KINDS.filter((kind) => !seen.has(kind)), []);
  assert.ok(seen.has("IPv6 local") || seen.has("IPv6 tunnel"));
});
