// A difference of two plans for people: per policy what it says now, how its gateways share and who
// changes; then how the maps fill.

import type { Emit, Screen } from "../lib/screen.ts";
import { blankBetween } from "../lib/screen.ts";
import type { Column } from "../lib/table.ts";
import { renderTable } from "../lib/table.ts";
import { counted, percent, printable, thousands } from "../lib/text.ts";
import { sameValue } from "../lib/equal.ts";
import { renderAddress } from "../net/address.ts";
import { renderPrefix } from "../net/prefix.ts";
import { fullerMap } from "./capacity.ts";
import type { GatewayChange, PlanDiff, PolicyDiff, PolicyTerms } from "./diff.ts";
import { isEmptyDiff } from "./diff.ts";
import type { Assignment, Condition, NodeCapacity, PlanGateway } from "./plan.ts";
import { renderHeading } from "./render-capacity.ts";
import { paragraph } from "./render-issues.ts";
import { renderEgressIPs } from "./render-plan.ts";

const SEE_ALL = "-o json";

/** Writes the difference and, last, how many endpoints it concerns. */
export function renderDiff(diff: PlanDiff, screen: Screen, write: Emit): void {
  const emit = blankBetween(write);
  if (isEmptyDiff(diff)) return emit("No difference.\n");
  for (const policy of diff.policies) renderPolicy(policy, screen, emit);
  renderNodes(diff, screen, emit);
  emit(`${summary(diff)}\n`);
}

function renderPolicy(policy: PolicyDiff, screen: Screen, emit: Emit): void {
  renderTerms(policy, screen, emit);
  renderGateways(policy, screen, emit);
  for (const change of policy.gatewayChanges) renderGatewayChange(change, screen, emit);
  if (policy.gatewayChanges.length > 0) emit("\n");
  renderEndpoints(policy, screen, emit);
}

// ---- What the policy says ----

function renderTerms(policy: PolicyDiff, screen: Screen, emit: Emit): void {
  const { before, after, gateways } = policy;
  const { arrow, dot } = screen.glyphs;
  const name = screen.paint("title", printable(policy.name));
  const change = (old: string | undefined, now: string | undefined) =>
    [...new Set([old, now])].filter((one) => one !== undefined).join(` ${arrow} `);
  const distribution = change(before?.distribution, after?.distribution);
  const endpoints = change(countText(before?.endpoints), countText(after?.endpoints));
  const counts = [
    before && gateways.filter((one) => one.before).length,
    after && gateways.filter((one) => one.after).length,
  ];
  const sites = change(countText(counts[0]), countText(counts[1]));
  const fate = before === undefined ? screen.paint("good", "  new") : "";
  const end = after === undefined ? screen.paint("error", "  removed") : "";
  const parts = [distribution, `endpoints ${endpoints}`, `gateways ${sites}`];
  emit(`${name}${fate}${end}  ${parts.join(` ${dot} `)}\n`);
  const covers = change(before && coverText(before), after && coverText(after));
  paragraph(covers, { first: "  to ", rest: "     " }, screen, emit);
  renderConditions(before?.conditions ?? [], after?.conditions ?? [], screen, emit);
  emit("\n");
}

function countText(count: number | undefined): string | undefined {
  return count === undefined ? undefined : thousands(count);
}

function coverText({ destinations, exclusions }: PolicyTerms): string {
  const covered = destinations.map(renderPrefix).join(", ");
  if (exclusions.length === 0) return covered;
  return `${covered} except ${exclusions.map(renderPrefix).join(", ")}`;
}

/** Conditions that appear (`+`) and disappear (`-`). */
function renderConditions(
  before: readonly Condition[],
  after: readonly Condition[],
  screen: Screen,
  emit: Emit,
): void {
  const without = (some: readonly Condition[], others: readonly Condition[]) =>
    some.filter((one) => !others.some((other) => sameValue(one, other)));
  for (const [sign, tone, conditions] of [
    ["-", "good", without(before, after)],
    ["+", "warning", without(after, before)],
  ] as const) {
    for (const { type, status, reason, message } of conditions) {
      emit(`  ${screen.paint(tone, `${sign} ${type}=${status} ${reason}`)}\n`);
      paragraph(printable(message), { first: "    ", rest: "    " }, screen, emit);
    }
  }
}

// ---- Gateways ----

const GATEWAY_COLUMNS: readonly Column[] = [
  { title: "GATEWAY" },
  { title: "EGRESS IP" },
  { title: "BEFORE", align: "right" },
  { title: "AFTER", align: "right" },
  { title: "CHANGE", align: "right" },
];

function renderGateways({ gateways }: PolicyDiff, screen: Screen, emit: Emit): void {
  if (gateways.length === 0) return;
  const rows = gateways.map(({ before, after }) => {
    const { node, egressIPs } = (after ?? before) as PlanGateway;
    return [
      printable(node),
      renderEgressIPs(egressIPs, screen),
      countText(before?.endpoints) ?? screen.glyphs.dash,
      countText(after?.endpoints) ?? screen.glyphs.dash,
      signed((after?.endpoints ?? 0) - (before?.endpoints ?? 0)),
    ];
  });
  const table = { columns: GATEWAY_COLUMNS, rows, size: rows.length, seeAll: SEE_ALL };
  renderTable(table, screen, emit);
  emit("\n");
}

function renderGatewayChange(change: GatewayChange, screen: Screen, emit: Emit): void {
  const { before, after, endpoints } = change;
  const { arrow } = screen.glyphs;
  const parts: string[] = [];
  const note = (what: string, old: string, now: string) => {
    if (old !== now) parts.push(`${what} ${old} ${arrow} ${now}`);
  };
  const ips = (gateway: PlanGateway) => renderEgressIPs(gateway.egressIPs, screen);
  note("egress IP", ips(before), ips(after));
  note("gateway IP", renderAddress(before.gatewayIP), renderAddress(after.gatewayIP));
  const device = (gateway: PlanGateway) => printable(gateway.interface ?? "unknown");
  note("interface", device(before), device(after));
  const who = `${printable(after.node)} keeps ${counted(endpoints, "endpoint")}`;
  emit(`  ${screen.paint("warning", who)}: ${parts.join(", ")}\n`);
}

// ---- Endpoints ----

const ENDPOINT_COLUMNS: readonly Column[] = [
  { title: "" },
  { title: "ENDPOINT" },
  { title: "BEFORE" },
  { title: "AFTER" },
];

function renderEndpoints(policy: PolicyDiff, screen: Screen, emit: Emit): void {
  const size = endpointChanges(policy);
  if (size === 0) return;
  const rows = { [Symbol.iterator]: () => endpointRows(policy, screen) };
  renderTable({ columns: ENDPOINT_COLUMNS, rows, size, seeAll: SEE_ALL }, screen, emit);
  emit("\n");
}

function endpointChanges({ moves, starts, stops, addressChanges }: PolicyDiff): number {
  return moves.length + starts.length + stops.length + addressChanges.length;
}

function* endpointRows(policy: PolicyDiff, screen: Screen): Generator<string[]> {
  const shared = sharedNodes(policy);
  const site = (gateway: PlanGateway | undefined) => siteCell(gateway, shared, screen);
  const { dash } = screen.glyphs;
  for (const { assignment, before, after } of policy.moves) {
    const verb = screen.paint("warning", "moves");
    yield [verb, endpointName(assignment), site(before), site(after)];
  }
  for (const one of policy.starts) {
    yield [screen.paint("good", "starts"), endpointName(one), dash, site(one.gateway)];
  }
  for (const one of policy.stops) {
    yield [screen.paint("error", "stops"), endpointName(one), site(one.gateway), dash];
  }
  for (const { assignment, before, after } of policy.addressChanges) {
    const texts = [before, after].map((list) => list.map(renderAddress).join(", "));
    yield [screen.paint("accent", "readdressed"), endpointName(assignment), ...texts];
  }
}

function endpointName({ endpoint }: Assignment): string {
  return printable(`${endpoint.namespace}/${endpoint.name}`);
}

/** Nodes that have several gateways of the policy, so that their names do not tell which. */
function sharedNodes({ gateways }: PolicyDiff): Set<string> {
  const nodes = gateways.map(({ before, after }) => ((after ?? before) as PlanGateway).node);
  return new Set(nodes.filter((node, i) => nodes.indexOf(node) !== i));
}

function siteCell(
  gateway: PlanGateway | undefined,
  shared: ReadonlySet<string>,
  screen: Screen,
): string {
  if (gateway === undefined) return screen.paint("error", "dropped");
  const node = printable(gateway.node);
  return shared.has(gateway.node) ? `${node} ${renderEgressIPs(gateway.egressIPs, screen)}` : node;
}

// ---- Maps ----

const NODE_COLUMNS: readonly Column[] = [
  { title: "NODE" },
  { title: "ROWS BEFORE", align: "right" },
  { title: "AFTER", align: "right" },
  { title: "CHANGE", align: "right" },
  { title: "FILL BEFORE", align: "right" },
  { title: "AFTER", align: "right" },
];
const HELD_COLUMNS: readonly Column[] = [
  { title: "HELD BEFORE", align: "right" },
  { title: "AFTER", align: "right" },
];

function renderNodes({ nodes, mapSize }: PlanDiff, screen: Screen, emit: Emit): void {
  const changed = nodes.filter(({ before, after }) => !sameValue(before, after));
  const same = counted(nodes.length - changed.length, "node");
  const sizes = [...new Set([mapSize.before, mapSize.after])].map(thousands);
  const size = sizes.join(` ${screen.glyphs.arrow} `);
  renderHeading("Map fill", `${size} entries per map, ${same} unchanged`, screen, emit);
  if (changed.length === 0) return;
  const held = changed.some(({ before, after }) => heldOf(before) + heldOf(after) > 0);
  const rows = changed.map(({ node, before, after }) => [
    printable(node),
    thousands(rowsOf(before)),
    thousands(rowsOf(after)),
    signed(rowsOf(after) - rowsOf(before)),
    percent(before ? fullerMap(before) : 0, mapSize.before),
    percent(after ? fullerMap(after) : 0, mapSize.after),
    ...(held ? [thousands(heldOf(before)), thousands(heldOf(after))] : []),
  ]);
  const columns = held ? [...NODE_COLUMNS, ...HELD_COLUMNS] : NODE_COLUMNS;
  renderTable({ columns, rows, size: rows.length, seeAll: SEE_ALL }, screen, emit);
  emit("\n");
}

function heldOf(capacity: NodeCapacity | undefined): number {
  return capacity?.heldEndpoints ?? 0;
}

function rowsOf(capacity: NodeCapacity | undefined): number {
  return capacity === undefined ? 0 : capacity.rowsIPv4 + capacity.rowsIPv6;
}

function signed(change: number): string {
  if (change === 0) return "";
  return change > 0 ? `+${thousands(change)}` : `-${thousands(-change)}`;
}

/** `9 endpoints move, 1 starts, 2 stop.` */
function summary({ policies }: PlanDiff): string {
  const total = (list: "moves" | "starts" | "stops") =>
    policies.reduce((sum, policy) => sum + policy[list].length, 0);
  const moves = total("moves");
  const starts = total("starts");
  const stops = total("stops");
  return (
    `${counted(moves, "endpoint")} ${moves === 1 ? "moves" : "move"}, ` +
    `${thousands(starts)} ${starts === 1 ? "starts" : "start"}, ` +
    `${thousands(stops)} ${stops === 1 ? "stops" : "stop"}.`
  );
}
