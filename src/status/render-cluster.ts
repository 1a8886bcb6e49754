// The status of a cluster for people: its policies, what is wrong with them, its nodes.

import type { Emit, Screen } from "../lib/screen.ts";
import { blankBetween } from "../lib/screen.ts";
import type { Column } from "../lib/table.ts";
import { renderTable } from "../lib/table.ts";
import { printable, thousands } from "../lib/text.ts";
import { paragraph } from "../plan/render-issues.ts";
import type {
  ClusterController,
  ClusterNode,
  ClusterPolicy,
  ClusterStatusDocument,
} from "./cluster-document.ts";

const SEE_ALL = "-o json";

/** Writes the status; sections stand apart by one blank line. `nowMs`: of the reader's clock. */
export function renderClusterStatus(
  { controller, judgedBy, policies, nodes }: ClusterStatusDocument,
  { screen, nowMs, write }: Omit<Place, "emit"> & { readonly write: Emit },
): void {
  const emit = blankBetween(write);
  const place = { screen, emit, nowMs };
  if (controller?.active === false) renderAbsence(controller, judgedBy, place);
  if (judgedBy === "reader") {
    const title = "The definition of policies is not Sluice's: it has no status.";
    emit(`${screen.paint("warning", title)}\n`);
    const how = "Judged here and now, from what agents acknowledge.";
    paragraph(how, { first: "  ", rest: "  " }, screen, emit);
    emit("\n");
  }
  renderPolicies(policies, screen, emit);
  renderProblems(policies, screen, emit);
  renderNodes(nodes, place);
}

/** Without a controller everything about policies is as old as its last word. */
function renderAbsence(
  { renewTime }: ClusterController,
  judgedBy: ClusterStatusDocument["judgedBy"],
  { screen, emit, nowMs }: Place,
): void {
  const age = renewTime === "" ? "" : ` (${secondsSince(renewTime, nowMs)} s ago)`;
  const since = renewTime === "" ? "here yet" : `since ${printable(renewTime)}${age}`;
  emit(`${screen.paint("error", `No controller has judged ${since}.`)}\n`);
  const old = "What is said of policies may be out of date.";
  const lost = judgedBy === "reader" ? "Nobody writes events." : old;
  const advice = `${lost} See the pods of the Deployment sluice-controller.`;
  paragraph(advice, { first: "  ", rest: "  " }, screen, emit);
  emit("\n");
}

const POLICY_COLUMNS: readonly Column[] = [
  { title: "POLICY" },
  { title: "GATEWAYS", align: "right" },
  { title: "ENDPOINTS", align: "right" },
  { title: "ACCEPTED" },
  { title: "RESOLVED" },
  { title: "PROGRAMMED" },
  { title: "LAGGING" },
];

function renderPolicies(policies: readonly ClusterPolicy[], screen: Screen, emit: Emit): void {
  if (policies.length === 0) emit("There is no policy.\n");
  else {
    const rows = policies.map((policy) => [
      printable(policy.name),
      printable(policy.gateways) || screen.glyphs.dash,
      thousands(policy.endpoints),
      conditionCell(policy.accepted, screen),
      conditionCell(policy.resolvedRefs, screen),
      conditionCell(policy.programmed, screen),
      policy.lagging.map(printable).join(" ") || screen.glyphs.dash,
    ]);
    const size = rows.length;
    renderTable({ columns: POLICY_COLUMNS, rows, size, seeAll: SEE_ALL }, screen, emit);
  }
  emit("\n");
}

function conditionCell(status: string, screen: Screen): string {
  if (status === "") return screen.paint("warning", "not judged");
  return status === "True" ? "True" : screen.paint("error", printable(status));
}

function renderProblems(policies: readonly ClusterPolicy[], screen: Screen, emit: Emit): void {
  for (const { name, problems } of policies) {
    for (const problem of problems) {
      emit(`${screen.paint("warning", printable(name))}\n`);
      paragraph(printable(problem), { first: "  ", rest: "  " }, screen, emit);
    }
  }
  emit("\n");
}

const NODE_COLUMNS: readonly Column[] = [
  { title: "NODE" },
  { title: "AGENT" },
  { title: "VERSION" },
  { title: "POLICIES", align: "right" },
  { title: "ROWS", align: "right" },
  { title: "RENEWED" },
];

interface Place {
  readonly screen: Screen;
  readonly emit: Emit;
  readonly nowMs: number;
}

function renderNodes(nodes: readonly ClusterNode[], { screen, emit, nowMs }: Place): void {
  const rows = nodes.map((node) => [
    printable(node.name),
    agentCell(node, screen),
    printable(node.version) || screen.glyphs.dash,
    thousands(node.policies),
    thousands(node.rows),
    renewedCell(node, { screen, nowMs }),
  ]);
  const size = rows.length;
  renderTable({ columns: NODE_COLUMNS, rows, size, seeAll: SEE_ALL }, screen, emit);
  for (const { name, ready, silent, message } of nodes) {
    const unkept = ready && silent ? UNKEPT : "";
    if (message === "" && unkept === "") continue;
    const text = `${printable(name)}: ${printable(message || unkept)}`;
    paragraph(text, { first: "  ", rest: "    " }, screen, emit);
  }
}

/** Of an agent that said last that all is well. */
const UNKEPT = "its agent has been silent for minutes: what its kernel holds follows no change";

function agentCell({ ready, silent, renewTime }: ClusterNode, screen: Screen): string {
  if (silent && renewTime !== "") return screen.paint("error", "silent");
  return ready ? screen.paint("good", "ready") : screen.paint("error", "not ready");
}

function renewedCell(
  { renewTime, silent }: ClusterNode,
  { screen, nowMs }: Omit<Place, "emit">,
): string {
  if (renewTime === "") return screen.paint("error", "never");
  const text = `${secondsSince(renewTime, nowMs)} s ago`;
  return silent ? screen.paint("error", text) : text;
}

function secondsSince(time: string, nowMs: number): string {
  return thousands(Math.max(0, Math.round((nowMs - Date.parse(time)) / 1_000)));
}
