// The nftables table of a node. Its sets follow from the datapath that is wanted, its chains from
// the settings (ruleset-decide.ts, ruleset-guards.ts); what is written of it is the business of
// ruleset-diff.ts. What the kernel asks of each packet:
//
//   raw          tunnel packets are nobody's connection
//   prerouting   decide: new flows take the proposal, known ones what they began with
//   output       errors of this node about answers go the way of the flow that they are about
//   input        guard: who may send to the tunnel
//   forward      guard: tunnel port, unclassified pods, services that lead outside
//   postrouting  translate, then guard: nothing of ours leaves with another address
//
// Sets of addresses come in pairs, one per family: `cluster4` and `cluster6`. A flow is a class and
// an index (mark.ts). Each has three chains, reached by maps of their names: `offer` for packets
// that propose what their flow began with, `begin` puts it into the connection's mark when a flow
// begins, `keep` into the packet's mark when a flow goes on. The chains carry constants, since nft
// cannot combine two registers, and the bits of others must survive.

import type { Address, Family } from "../net/address.ts";
import { FAMILIES, familyOf, parseAddress, renderAddress } from "../net/address.ts";
import type { NftChain, NftSet, NftTable } from "../net/nft-table.ts";
import type { Prefix } from "../net/prefix.ts";
import { bitsOf, comparePrefixes, containsPrefix, parsePrefix } from "../net/prefix.ts";
import { prefixAddress, prefixFamily, prefixLength, prefixOf } from "../net/prefix.ts";
import { renderPrefix } from "../net/prefix.ts";
import { REASONS } from "../plan/reason.ts";
import type { DatapathSettings, NodeDatapath } from "./datapath.ts";
import { encodeMark, INDEX_MAX, INDEX_REPLY, MARK_MASK, shiftMark } from "./mark.ts";
import { decidingChains, flowChains, flowName, POLICY_TCP } from "./ruleset-decide.ts";
import { guardChains } from "./ruleset-guards.ts";
import type { NamedChain } from "./ruleset-words.ts";
import { called } from "./ruleset-words.ts";

/**
 * A connection that was reset is over at once. The kernel would remember it for ten seconds and,
 * when the server had reset it, take its client's next one for the same: an old plan's.
 */
const TIMEOUTS: ReadonlyMap<string, string> = new Map([[POLICY_TCP, "close : 0"]]);

/** A table to find out with whether the kernel has time-outs. */
export const TIMEOUTS_ALONE: NftTable = {
  counters: new Map(),
  timeouts: TIMEOUTS,
  sets: new Map(),
  chains: new Map(),
};

export interface RulesetInput {
  readonly settings: DatapathSettings;
  readonly desired: NodeDatapath;
  /** Addresses that change hands: none of their flows begins now (rule 8.10). */
  readonly passing?: readonly Address[];
  /** MTU of the tunnel device, in bytes: what TCP is told to fit into. */
  readonly tunnelMtu: number;
  /** The kernel lets a rule say how long connection tracking remembers a flow. */
  readonly hasTimeouts: boolean;
  /** Of this table the elements of sets and maps stay, beside what is desired. */
  readonly retained: NftTable | undefined;
}

/** Every class with every index, and what else a mark may say. */
const FLOWS_MAX = 16_384;
/** As in the programs' map of nodes (bpf/maps.h). */
const NODES_MAX = 65_536;

/** The table as it should be. Counters start at zero. */
export function buildRuleset(input: RulesetInput): NftTable {
  const { settings, desired, tunnelMtu, hasTimeouts, retained } = input;
  const flows = flowsOf(input);
  const counted = REASONS.filter(({ counter }) => counter === "nftables").map(({ name }) => name);
  const chains = new Map<string, NftChain>([
    ...flowChains(flows, settings),
    ...counted.map(dropping),
    ...decidingChains(settings, hasTimeouts),
    ...guardChains(settings, { self: renderAddress(desired.self), mtu: tunnelMtu }),
  ]);
  const sets = new Map<string, NftSet>();
  for (const [name, set] of [...addressSets(input), ...markMaps(input, flows)]) {
    sets.set(name, union(set, retained?.sets.get(name)));
  }
  const counters = new Map(counted.map((name) => [name, 0]));
  const timeouts = hasTimeouts ? TIMEOUTS : new Map<string, string>();
  return { counters, timeouts, sets, chains };
}

/** Where the other chains send what is dropped for a reason (plan/reason.ts). */
function dropping(reason: string): NamedChain {
  return [`drop_${reason}`, called([`counter name ${reason} drop`])];
}

/** What the set is called that holds addresses of a family. */
export function setOf(name: string, family: Family): string {
  return `${name}${family === "IPv4" ? "4" : "6"}`;
}

type NamedSet = readonly [name: string, set: NftSet];

function addressSets({ desired, passing = [] }: RulesetInput): NamedSet[] {
  const nodes = desired.nodes.filter((address) => familyOf(address) === "IPv4");
  const sets: NamedSet[] = [
    ["nodes", { ...listSet("ipv4_addr", nodes.map(renderAddress)), elementsMax: NODES_MAX }],
  ];
  for (const family of FAMILIES) {
    const ours = (address: Address) => familyOf(address) === family;
    const type = typeOf(family);
    const egress = desired.egressIPs.map(({ address }) => address).filter(ours);
    const classified = desired.classified.filter(({ address }) => ours(address));
    sets.push(
      [setOf("cluster", family), prefixSet(family, desired.clusterPrefixes)],
      [setOf("own_pods", family), prefixSet(family, desired.ownPodPrefixes)],
      [
        setOf("egress", family),
        { ...listSet(type, egress.map(renderAddress)), elementsMax: INDEX_MAX },
      ],
      [setOf("selected", family), listSet(type, desired.selected.filter(ours).map(renderAddress))],
      [setOf("passing", family), listSet(type, passing.filter(ours).map(renderAddress))],
      [
        setOf("classified", family),
        listSet(
          `ifname . ${type}`,
          classified
            .filter((one) => isPlainName(one.interface))
            .map((one) => `"${one.interface}" . ${renderAddress(one.address)}`),
        ),
      ],
    );
  }
  return sets;
}

/** nft has no way to quote these in a name: such a pod's flows are held rather than all opened. */
function isPlainName(name: string): boolean {
  return !/["*\\]/.test(name);
}

function markMaps({ desired, settings }: RulesetInput, flows: readonly number[]): NamedSet[] {
  const { markShift } = settings;
  const verdicts = (name: string) =>
    flows.map((flow) => [markKey(flow, markShift), `goto ${flowName(name, flow)}`] as const);
  const reply = encodeMark("tunnel", INDEX_REPLY, 0);
  const offers = [
    [markKey(0, markShift), "goto unmarked"] as const,
    ...verdicts("offer"),
    [markKey(reply, markShift), "goto answer"] as const,
  ];
  const maps: NamedSet[] = [
    ["offer", map("verdict", offers)],
    ["begin", map("verdict", verdicts("begin"))],
    ["keep", map("verdict", verdicts("keep"))],
  ];
  for (const family of FAMILIES) {
    const egress = desired.egressIPs.filter(({ address }) => familyOf(address) === family);
    const pairs = egress.map(
      ({ index, address }) => [markKey(index, markShift), renderAddress(address)] as const,
    );
    maps.push([setOf("snat", family), map(typeOf(family), pairs)]);
  }
  return maps;
}

/** The flows that may begin or go on here, as marks that are not shifted, ascending. */
function flowsOf({ settings, desired, retained }: RulesetInput): number[] {
  const flows = new Set<number>();
  for (const { index } of desired.gateways) flows.add(encodeMark("tunnel", index, 0));
  for (const { index } of desired.egressIPs) {
    flows.add(encodeMark("gateway", index, 0));
    flows.add(encodeMark("local", index, 0));
  }
  for (const key of retained?.sets.get("keep")?.elements.keys() ?? []) {
    const flow = (Number(key) >>> settings.markShift) & MARK_MASK;
    // A key that another shift wrote means nothing now.
    if (markKey(flow, settings.markShift) === key) flows.add(flow);
  }
  return [...flows].sort((a, b) => a - b);
}

/** A mark as the key of a map. */
export function markKey(bits: number, shift: number): string {
  return `0x${shiftMark(bits, shift).toString(16)}`;
}

function typeOf(family: Family): string {
  return family === "IPv4" ? "ipv4_addr" : "ipv6_addr";
}

function listSet(keyType: string, keys: readonly string[]): NftSet {
  const elements = new Map(keys.map((key) => [key, ""]));
  return { keyType, valueType: undefined, interval: false, elements };
}

function prefixSet(family: Family, prefixes: readonly Prefix[]): NftSet {
  const ours = prefixes.filter((prefix) => prefixFamily(prefix) === family);
  const elements = new Map(disjoint(ours).map((prefix) => [renderElement(prefix), ""]));
  return { keyType: typeOf(family), valueType: undefined, interval: true, elements };
}

function map(valueType: string, pairs: readonly (readonly [string, string])[]): NftSet {
  return {
    ...{ keyType: "mark", valueType, interval: false, elementsMax: FLOWS_MAX },
    elements: new Map(pairs),
  };
}

/** Both sets' elements; where both have a key, the value of `set`. */
function union(set: NftSet, retained: NftSet | undefined): NftSet {
  if (retained === undefined || !sameKind(set, retained)) return set;
  const elements = new Map([...retained.elements, ...set.elements]);
  // The flows of retained marks are rebuilt from their indexes: see flowsOf.
  if (set.valueType === "verdict") return set;
  if (!set.interval) return { ...set, elements };
  const prefixes = [...elements.keys()].flatMap((key) => parseElement(key) ?? []);
  return { ...set, elements: new Map(disjoint(prefixes).map((one) => [renderElement(one), ""])) };
}

/** Whether one's elements fit into the other. */
export function sameKind(a: NftSet, b: NftSet): boolean {
  return a.keyType === b.keyType && a.valueType === b.valueType && a.interval === b.interval;
}

/** Without prefixes that lie within others, which a set of intervals refuses. Sorted. */
function disjoint(prefixes: readonly Prefix[]): Prefix[] {
  const out: Prefix[] = [];
  for (const prefix of [...prefixes].sort(comparePrefixes)) {
    const last = out.at(-1);
    if (last === undefined || !containsPrefix(last, prefix)) out.push(prefix);
  }
  return out;
}

/** As nft lists it: a prefix of one address is that address. */
function renderElement(prefix: Prefix): string {
  const whole = prefixLength(prefix) === bitsOf(prefixFamily(prefix));
  return whole ? renderAddress(prefixAddress(prefix)) : renderPrefix(prefix);
}

function parseElement(text: string): Prefix | undefined {
  const address = parseAddress(text);
  return address === undefined
    ? parsePrefix(text)
    : prefixOf(address, bitsOf(familyOf(address)));
}
