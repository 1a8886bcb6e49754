// The status of a cluster for people: its policies, what is wrong with them, its nodes.

import type { Emit, Screen } from "../lib/screen.ts";
import { blankBetween } from "../lib/screen.ts";
import type { Column } from "../lib/table.ts";
import { renderTable } from "../lib/table.ts";
import { printable, thousands } from "../lib/text.ts";
import { paragraph } from "../plan/render-issues.ts";
import type { ClusterNode, ClusterPolicy, ClusterStatusDocument } from "./cluster-document.ts";

const SEE_ALL = "-o json";
/** Agents say something every minute; one that has not for so long is told from the others. */
const SILENT_MS = 180_000;

/** Writes the status; sections stand apart by one blank line. `nowMs`: of the reader's clock. */
export function renderClusterStatus(
  { policies, nodes }: ClusterStatusDocument,
  { screen, nowMs, write }: Omit<Place, "emit"> & { readonly write: Emit },
): void {
  const emit = blankBetween(write);
  renderPolicies(policies, screen, emit);
  renderProblems(policies, screen, emit);
  renderNodes(nodes, { screen, emit, nowMs });
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
    node.ready ? screen.paint("good", "ready") : screen.paint("error", "not ready"),
    printable(node.version) || screen.glyphs.dash,
    thousands(node.policies),
    thousands(node.rows),
    renewedCell(node.renewTime, { screen, nowMs }),
  ]);
  const size = rows.length;
  renderTable({ columns: NODE_COLUMNS, rows, size, seeAll: SEE_ALL }, screen, emit);
  for (const { name, message } of nodes) {
    if (message === "") continue;
    const text = `${printable(name)}: ${printable(message)}`;
    paragraph(text, { first: "  ", rest: "    " }, screen, emit);
  }
}

function renewedCell(time: string, { screen, nowMs }: Omit<Place, "emit">): string {
  const ageMs = nowMs - Date.parse(time);
  if (Number.isNaN(ageMs)) return screen.paint("error", "never");
  const text = `${thousands(Math.max(0, Math.round(ageMs / 1000)))} s ago`;
  return ageMs > SILENT_MS ? screen.paint("error", `${text}, silent`) : text;
}
