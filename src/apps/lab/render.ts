// What a lab says, as tables for people and as data for programs.

import type { Data } from "../../lib/data.ts";
import type { Emit, Screen } from "../../lib/screen.ts";
import { renderTable } from "../../lib/table.ts";
import { counted, thousands } from "../../lib/text.ts";
import type { CheckedPath, CheckResult, Finding, Leak } from "./check.ts";
import type { Expectation } from "./expectation.ts";
import type { FlowReport, TrafficPath, TrafficResult } from "./traffic.ts";
import { flowFits } from "./traffic.ts";
import type { LabStatus, NodeStatus } from "./status.ts";

/** The table of a check, its verdict last. */
export function renderCheck(result: CheckResult, screen: Screen, emit: Emit): void {
  const { paths, fits } = result;
  const titles = ["POD", "NODE", "PLAN", "SOURCE", "SEEN BY THE SERVER"];
  renderTable(
    {
      columns: titles.map((title) => ({ title })),
      rows: paths.map((path) => checkedRow(path, result.agentless, screen)),
      size: paths.length,
      seeAll: "-o json",
    },
    { ...screen, linesMax: Infinity },
    emit,
  );
  const flows = paths.flatMap(({ findings }) => findings);
  const good = flows.filter((one) => one.fits).length;
  const line = `${good} of ${counted(flows.length, "flow")} as planned`;
  emit(`\n${screen.paint(fits ? "good" : "error", line)}; ${renderSniffer(result, screen)}\n`);
  if (result.attempts === 1) return;
  const earlier = result.leaksBefore.length === 0 ? "" : `, ${renderLeaks(result.leaksBefore)}`;
  const told = `The agents needed a moment: ${counted(result.attempts, "attempt")}${earlier}`;
  emit(`${screen.paint("faint", told)}\n`);
}

function renderLeaks(leaks: readonly Leak[]): string {
  return leaks.map((leak) => `${counted(leak.packets, "packet")} from ${leak.address}`).join(", ");
}

function checkedRow(
  { expected, findings }: CheckedPath,
  agentless: readonly string[],
  screen: Screen,
): string[] {
  const { pod, node, kind, gateway } = expected;
  const plan = { egress: `by ${gateway}`, node: "no policy", drop: "dropped" }[kind];
  const wrong = findings.some((one) => !one.fits);
  const without = [node, gateway].filter((one) => wrong && agentless.includes(one));
  const hint = without.length === 0 ? "" : `; no agent runs on ${without.join(" and ")}`;
  const seen = `${renderFindings(findings, expected, screen)}${hint}`;
  return [pod, node, plan, sourceCell(expected, findings), seen];
}

/** Of several addresses that may be seen, those that were. */
function sourceCell({ addresses, kind, server }: Expectation, findings: readonly Finding[]) {
  const family = server.includes(":") ? "IPv6" : "IPv4";
  if (addresses.length === 0) return kind === "egress" ? `unknown, ${family}` : `no ${family}`;
  const seen = addresses.filter((address) => findings.some((one) => one.seen === address));
  return (seen.length > 0 ? seen : addresses).join(" or ");
}

/** `as planned`, or what was seen instead, by protocol. */
function renderFindings(
  findings: readonly Finding[],
  expected: Expectation,
  screen: Screen,
): string {
  if (findings.every((one) => one.fits)) {
    const protocols = findings.map(({ protocol }) => protocol).join(" ");
    const nothing = expected.kind === "drop" ? " nothing" : "";
    return screen.paint("good", `${protocols}${nothing}`);
  }
  const sources = new Set(findings.map(({ seen }) => seen));
  const cells = [...sources].map((source) => {
    const group = findings.filter(({ seen }) => seen === source);
    const protocols = group.map(({ protocol }) => protocol).join(" ");
    const good = group.every(({ fits }) => fits);
    const seen = source ?? "no answer";
    return screen.paint(good ? "good" : "error", good ? protocols : `${protocols} ${seen}`);
  });
  return cells.join(", ");
}

function renderSniffer(
  { packets, missed, leaks }: Pick<CheckResult, "packets" | "missed" | "leaks">,
  screen: Screen,
): string {
  const saw = `the sniffer saw ${counted(packets, "packet")}`;
  if (missed > 0) return screen.paint("error", `${saw} and missed ${counted(missed, "packet")}`);
  if (leaks.length === 0) return `${saw}, none from an address that no plan promised`;
  return screen.paint("error", `${saw}, against all plans ${renderLeaks(leaks)}`);
}

/** The document of `check -o json`. */
export function checkData(result: CheckResult): Data {
  const { paths, leaks, leaksBefore, packets, missed, attempts, fits, agentless } = result;
  const flows = paths.flatMap(({ expected, findings }) =>
    findings.map((finding) => ({
      pod: expected.pod,
      node: expected.node,
      server: expected.server,
      protocol: finding.protocol,
      plan: expected.kind,
      gateway: expected.gateway === "" ? null : expected.gateway,
      promised: expected.addresses,
      seen: finding.seen,
      fits: finding.fits,
    })),
  );
  const sniffer = { packets, missed };
  const found = { leaks: data(leaks), leaksBefore: data(leaksBefore) };
  return { kind: "LabCheck", fits, attempts, flows, agentless, sniffer, ...found };
}

/** The table of a run of traffic, its verdict last. */
export function renderTraffic(result: TrafficResult, screen: Screen, emit: Emit): void {
  const { paths, gone, changes, fits } = result;
  const right = ["FLOWS", "SENT", "LOST", "WRONG", "BROKEN", "GAP MS"];
  renderTable(
    {
      columns: [
        ...["POD", "SOURCE"].map((title) => ({ title })),
        ...right.map((title) => ({ title, align: "right" as const })),
        ...["NEW FLOWS", "PLAN NOW"].map((title) => ({ title })),
      ],
      rows: paths.map((path) => trafficRow(path, screen)),
      size: paths.length,
      seeAll: "-o json",
    },
    { ...screen, linesMax: Infinity },
    emit,
  );
  const flows = paths.flatMap((path) => path.flows);
  const whole = flows.filter(flowFits).length;
  const line = `${whole} of ${counted(flows.length, "flow")} unbroken, with their first address`;
  const during = changes === 0 ? "" : ` through ${counted(changes, "change")} of the plan`;
  emit(`\n${screen.paint(fits ? "good" : "error", line)}${during}; `);
  emit(`${renderSniffer(result, screen)}\n`);
  if (gone.length > 0) emit(`Deleted meanwhile, and not judged: ${gone.join(", ")}\n`);
}

function trafficRow(path: TrafficPath, screen: Screen): string[] {
  const { pod, flows, opened, after } = path;
  const sum = (count: (flow: FlowReport) => number) =>
    flows.reduce((total, flow) => total + count(flow), 0);
  const bad = (count: number) => (count === 0 ? "0" : screen.paint("error", thousands(count)));
  const sources = new Set(flows.flatMap(({ first, last }) => [first, last]));
  const kept = flows.every(({ first, last }) => first !== null && first === last);
  return [
    pod,
    screen.paint(kept ? "good" : "error", [...sources].map((one) => one ?? "none").join(" ")),
    String(flows.length),
    thousands(sum(({ sent }) => sent)),
    bad(sum(({ sent, answered }) => sent - answered)),
    bad(sum(({ wrong }) => wrong)),
    bad(flows.filter(({ broken }) => broken !== null).length),
    String(Math.round(Math.max(0, ...flows.map(({ gapMs }) => gapMs)))),
    renderOpened(opened, screen),
    after === undefined ? "gone" : after.kind === "egress" ? `by ${after.gateway}` : after.kind,
  ];
}

/** The addresses of new flows, in the order in which they came up. */
function renderOpened(opened: readonly (string | null)[], { glyphs }: Screen): string {
  const runs = opened.filter((address, i) => address !== opened[i - 1]);
  return runs.map((address) => address ?? "no answer").join(` ${glyphs.arrow} `) || glyphs.dash;
}

/** The document of `traffic -o json`. */
export function trafficData(result: TrafficResult): Data {
  const { paths, gone, packets, missed, leaks, changes, fits } = result;
  return {
    kind: "LabTraffic",
    fits,
    changes,
    flows: paths.flatMap(({ pod, flows }) =>
      flows.map((flow) => ({ pod, ...flow, gapMs: Math.round(flow.gapMs) })),
    ),
    newFlows: paths.map(({ pod, server, opened, before, after }) => ({
      pod,
      server,
      seen: opened,
      plannedBefore: before?.addresses ?? null,
      plannedAfter: after?.addresses ?? null,
    })),
    gone,
    sniffer: { packets, missed },
    leaks: data(leaks),
  };
}

function data(leaks: readonly Leak[]): Data {
  return leaks.map(({ address, packets }) => ({ address, packets }));
}

/** Nodes, pods and policies. */
export function renderStatus(status: LabStatus, screen: Screen, emit: Emit): void {
  const all = { ...screen, linesMax: Infinity };
  const table = (titles: readonly string[], rows: readonly (readonly string[])[]) => {
    const columns = titles.map((title) => ({ title }));
    renderTable({ columns, rows, size: rows.length, seeAll: "-o json" }, all, emit);
  };
  table(
    ["NODE", "AGENT", "INTERNAL IP", "OUTSIDE IP", "EGRESS IPS", "LABELS"],
    status.nodes.map((one) => nodeRow(one, screen)),
  );
  emit("\n");
  table(
    ["NAMESPACE", "POD", "NODE", "ADDRESSES", "LABELS"],
    status.pods.map(({ namespace, name, node, addresses, labels }) => {
      return [namespace, name, node, addresses.join(" "), labelsCell(labels, screen)];
    }),
  );
  const policies = status.policies.join(", ") || "none";
  emit(`\n  policies: ${policies}\n  server:   ${status.server.join(", ")}\n`);
  emit(`  objects:  ${status.objects}\n  options:  ${status.options.join(" ")}\n`);
  emit(`${screen.paint("faint", "            for sluice plan, explain, diff and others")}\n`);
}

function labelsCell(labels: Readonly<Record<string, string>>, { glyphs }: Screen): string {
  const shown = Object.entries(labels).filter(([key]) => key !== "kubernetes.io/hostname");
  return shown.map(([key, value]) => `${key}=${value}`).join(" ") || glyphs.dash;
}

function nodeRow({ node, labels, pid, ready }: NodeStatus, screen: Screen): string[] {
  const agent =
    pid === undefined
      ? screen.paint("faint", "none")
      : screen.paint(ready ? "good" : "warning", ready ? "ready" : "not ready");
  return [
    node.name,
    agent,
    node.internal[0] ?? "",
    node.outside[0] ?? "",
    [...node.egress, node.second].map(([first = ""]) => first).join(" ").trim() ||
      screen.glyphs.dash,
    labelsCell(labels, screen),
  ];
}

/** The document of `status -o json`. */
export function statusData(status: LabStatus): Data {
  const { nodes, pods, policies, server, objects, options } = status;
  return {
    kind: "LabStatus",
    nodes: nodes.map(({ node, namespace, labels, pid, ready }) => ({
      name: node.name,
      namespace,
      labels,
      internalIPs: node.internal,
      outsideIPs: node.outside,
      egressIPs: [...node.egress.flat(), ...node.second],
      podCIDRs: node.podCIDRs,
      agent: pid === undefined ? null : { pid, ready },
    })),
    pods: pods.map(({ name, node, addresses, namespace, labels }) => {
      return { name, node, addresses, namespace, labels };
    }),
    policies,
    server,
    objects,
    options,
  };
}
