// A plan for people: per policy its gateways and their shares, then a node's rows, then capacity.
// What is wrong stands with the policy that it concerns; all else follows at the end.

import { bar } from "../lib/bar.ts";
import type { Emit, Screen } from "../lib/screen.ts";
import { blankBetween } from "../lib/screen.ts";
import type { Column } from "../lib/table.ts";
import { mapped, renderTable } from "../lib/table.ts";
import { counted, percent, printable, thousands } from "../lib/text.ts";
import type { Issue } from "../model/issue.ts";
import type { Address } from "../net/address.ts";
import { renderAddress } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { renderPrefix } from "../net/prefix.ts";
import type { Assignment, Condition, Plan, PlanGateway, PlanPolicy } from "./plan.ts";
import { barCells, renderCapacity, renderHeading } from "./render-capacity.ts";
import { paragraph, renderIssues, renderObjectIssues } from "./render-issues.ts";
import type { Row } from "./row.ts";
import { gatewayCells, renderLegend } from "./row-cells.ts";

/** `wide`: more columns, and who is assigned where. */
export interface PlanPicture {
  readonly wide: boolean;
}

/** Writes the plan; sections stand apart by one blank line. */
export function renderPlan(plan: Plan, { wide }: PlanPicture, screen: Screen, write: Emit): void {
  const emit = blankBetween(write);
  const others = new Set(plan.issues);
  for (const policy of plan.policies) {
    const object = `CiliumEgressGatewayPolicy/${policy.name}`;
    const issues = [...others].filter((one) => one.object === object);
    for (const one of issues) others.delete(one);
    renderPolicy(policy, { issues, wide }, screen, emit);
  }
  if (plan.policies.length === 0) emit("No policy is in force.\n");
  emit("\n");
  if (wide) renderAssignments(plan.assignments, screen, emit);
  renderRows(plan, { wide }, screen, emit);
  renderCapacity(plan.capacity, screen, emit);
  renderIssues([...others], screen, emit);
}

function renderPolicy(
  policy: PlanPolicy,
  { issues, wide }: { readonly issues: readonly Issue[]; readonly wide: boolean },
  screen: Screen,
  emit: Emit,
): void {
  const { gateways, conditions } = policy;
  renderTerms(policy, screen, emit);
  if (gateways.length > 0) {
    const columns = wide ? [...WIDE_GATEWAY_COLUMNS, ...GATEWAY_COLUMNS] : GATEWAY_COLUMNS;
    const rows = gateways.map((gateway) => entryCells(gateway, { policy, wide }, screen));
    renderTable({ columns, rows, size: rows.length, seeAll: "-o wide" }, screen, emit);
    if (gateways.some(({ egressIPs }) => egressIPs === null)) renderUnknown(screen, emit);
    emit("\n");
  }
  renderObjectIssues(issues, screen, emit);
  // Most conditions follow from an issue, which says the same and also where.
  const told = new Set<string>(issues.flatMap(({ code, message }) => [code, message]));
  const untold = conditions.filter((one) => !told.has(one.reason) && !told.has(one.message));
  for (const condition of untold) renderCondition(condition, screen, emit);
  emit("\n");
}

/** `web  round-robin · 12 endpoints → 3 gateways`, then what it covers. */
function renderTerms(policy: PlanPolicy, screen: Screen, emit: Emit): void {
  const { dot, arrow } = screen.glyphs;
  const endpoints = counted(policy.endpoints, "endpoint");
  const gateways = counted(policy.gateways.length, "gateway");
  const name = screen.paint("title", printable(policy.name));
  emit(`${name}  ${policy.distribution} ${dot} ${endpoints} ${arrow} ${gateways}\n`);
  const except = policy.exclusions.length === 0 ? "" : ` except ${prefixes(policy.exclusions)}`;
  const marks = { first: "  to ", rest: "     " };
  paragraph(`${prefixes(policy.destinations)}${except}`, marks, screen, emit);
  emit("\n");
}

function prefixes(list: readonly Prefix[]): string {
  return list.map(renderPrefix).join(", ");
}

const GATEWAY_COLUMNS: readonly Column[] = [
  { title: "NODE" },
  { title: "EGRESS IP" },
  { title: "ENDPOINTS", align: "right" },
  { title: "SHARE", align: "right" },
  { title: "" },
];
const WIDE_GATEWAY_COLUMNS: readonly Column[] = [
  { title: "ENTRY", align: "right" },
  { title: "GATEWAY IP" },
  { title: "INTERFACE" },
];

function entryCells(
  { node, endpoints, egressIPs, entry, gatewayIP, interface: device }: PlanGateway,
  { policy, wide }: { readonly policy: PlanPolicy; readonly wide: boolean },
  screen: Screen,
): string[] {
  const cells = [
    printable(node),
    renderEgressIPs(egressIPs, screen),
    thousands(endpoints),
    percent(endpoints, policy.endpoints),
    screen.paint("accent", bar(endpoints, policy.endpoints, barCells(screen), screen)),
  ];
  const deviceCell = device === null ? screen.paint("faint", "unknown") : printable(device);
  return wide ? [String(entry), renderAddress(gatewayIP), deviceCell, ...cells] : cells;
}

/** Rule 6.8, and what to do about it. */
function renderUnknown(screen: Screen, emit: Emit): void {
  const text =
    "unknown: the input has no NodeState of the node; see kubectl get nodestates -o yaml";
  const marks = { first: "  ", rest: "  " };
  paragraph(text, marks, screen, (line) => emit(screen.paint("faint", line)));
}

/** `192.0.2.1, 2001:db8::1`, `none` where traffic is dropped, `unknown` where nobody can say. */
export function renderEgressIPs(egressIPs: readonly Address[] | null, screen: Screen): string {
  if (egressIPs === null) return screen.paint("faint", "unknown");
  if (egressIPs.length === 0) return screen.paint("error", "none");
  return egressIPs.map(renderAddress).join(", ");
}

function renderCondition(condition: Condition, screen: Screen, emit: Emit): void {
  const tag = `${condition.type}=${condition.status} ${condition.reason}`;
  emit(`  ${screen.paint("warning", tag)}\n`);
  paragraph(printable(condition.message), { first: "    ", rest: "    " }, screen, emit);
}

const ASSIGNMENT_COLUMNS: readonly Column[] = [
  { title: "POLICY" },
  { title: "ENDPOINT" },
  { title: "UID" },
  { title: "IPS" },
  { title: "ON NODE" },
  { title: "GATEWAY" },
  { title: "EGRESS IP" },
];

function renderAssignments(assignments: Plan["assignments"], screen: Screen, emit: Emit): void {
  const { size } = assignments;
  if (size === 0) return;
  renderHeading("Assignments", `${thousands(size)}, one per endpoint and policy`, screen, emit);
  const rows = mapped(assignments, (one) => assignmentCells(one, screen));
  renderTable({ columns: ASSIGNMENT_COLUMNS, rows, size, seeAll: "-o json" }, screen, emit);
  emit("\n");
}

function assignmentCells(one: Assignment, screen: Screen): string[] {
  const { policy, endpoint, addresses, gateway } = one;
  return [
    printable(policy),
    printable(`${endpoint.namespace}/${endpoint.name}`),
    printable(endpoint.key),
    addresses.map(renderAddress).join(", "),
    printable(endpoint.node),
    gateway === undefined ? screen.paint("error", "dropped") : printable(gateway.node),
    gateway === undefined ? "" : renderEgressIPs(gateway.egressIPs, screen),
  ];
}

const ROW_COLUMNS: readonly Column[] = [
  { title: "SOURCE" },
  { title: "DESTINATION" },
  { title: "EGRESS IP" },
  { title: "GATEWAY IP" },
  { title: "IF", align: "right" },
  { title: "POLICY" },
];
const WIDE_ROW_COLUMNS: readonly Column[] = [{ title: "ENDPOINT" }, { title: "GATEWAY" }];

function renderRows(plan: Plan, { wide }: PlanPicture, screen: Screen, emit: Emit): void {
  const { rows, node = "" } = plan;
  if (rows === undefined) return;
  renderHeading("Policy rows", `${thousands(rows.size)} on ${printable(node)}`, screen, emit);
  if (rows.size === 0) return;
  const names = namesOf(plan, { wide });
  const table = {
    columns: wide ? [...ROW_COLUMNS, ...WIDE_ROW_COLUMNS] : ROW_COLUMNS,
    rows: mapped(rows, (row) => [
      ...rowCells(row, names.own, screen),
      ...(wide ? [endpointCell(row, names), nodeCell(row, names)] : []),
    ]),
    size: rows.size,
    seeAll: "-o wide or -o json",
  };
  renderTable(table, screen, emit);
  renderLegend(screen, emit);
  emit("\n");
}

/** What rows name by address. */
interface Names {
  /** Gateway IPs of the node whose rows these are. */
  readonly own: ReadonlySet<Address>;
  readonly nodes: ReadonlyMap<Address, string>;
  /** Empty unless wide: there may be many. */
  readonly endpoints: ReadonlyMap<Address, string>;
}

function namesOf({ node, policies, assignments }: Plan, { wide }: PlanPicture): Names {
  const gateways = policies.flatMap((policy) => policy.gateways);
  const endpoints = new Map<Address, string>();
  for (const { endpoint, addresses } of wide ? assignments : []) {
    for (const one of addresses) endpoints.set(one, `${endpoint.namespace}/${endpoint.name}`);
  }
  return {
    own: new Set(gateways.filter((one) => one.node === node).map((one) => one.gatewayIP)),
    nodes: new Map(gateways.map((one) => [one.gatewayIP, one.node])),
    endpoints,
  };
}

function rowCells(row: Row, own: ReadonlySet<Address>, screen: Screen): string[] {
  const { egressIP, gatewayIP, ifindex } = gatewayCells(row, own, screen);
  const pair = [renderAddress(row.source), renderPrefix(row.destination)];
  return [...pair, egressIP, gatewayIP, ifindex, printable(row.policy)];
}

function endpointCell({ source }: Row, { endpoints }: Names): string {
  return printable(endpoints.get(source) ?? "");
}

function nodeCell({ gatewayIP }: Row, { nodes }: Names): string {
  return printable(nodes.get(gatewayIP) ?? "");
}
