// The status for people: is the node right, what of its policies, who is a gateway, what was
// dropped and what to do about it, what could not be written.

import type { Emit, Screen } from "../lib/screen.ts";
import { blankBetween } from "../lib/screen.ts";
import type { Column } from "../lib/table.ts";
import { renderTable } from "../lib/table.ts";
import { counted, printable, thousands } from "../lib/text.ts";
import { paragraph, renderIssues } from "../plan/render-issues.ts";
import type {
  CounterStatus,
  PolicyStatus,
  SinkStatus,
  StatusDocument,
  UnclassifiedStatus,
} from "./document.ts";

const SEE_ALL = "-o json";

/** Writes the status; sections stand apart by one blank line. */
export function renderStatus(document: StatusDocument, screen: Screen, write: Emit): void {
  const emit = blankBetween(write);
  renderNode(document, screen, emit);
  renderPolicies(document.policies, screen, emit);
  renderIndexes(document, screen, emit);
  renderUnclassified(document.unclassified, screen, emit);
  renderCounters(document.counters, screen, emit);
  renderSinks(document.sinks, screen, emit);
  renderIssues(document.issues, screen, emit);
}

/** `worker-1  ready · 0.1.0`, then how much there is. */
function renderNode(document: StatusDocument, screen: Screen, emit: Emit): void {
  const { node, version, ready, waitingFor, counts, turns } = document;
  const { dot } = screen.glyphs;
  const state = ready ? screen.paint("good", "ready") : screen.paint("error", "not ready");
  emit(`${screen.paint("title", printable(node))}  ${state} ${dot} sluice ${printable(version)}\n`);
  if (!ready) {
    const text = `waits for ${printable(waitingFor)}`;
    paragraph(text, { first: "  ", rest: "  " }, screen, emit);
  }
  const ducks = counts.lameDucks === 0 ? "" : ` (${counted(counts.lameDucks, "lame duck")})`;
  const parts = [
    counted(counts.policies, "policy"),
    counted(counts.endpoints, "endpoint"),
    counted(counts.rows, "row") + ducks,
    `${counted(turns.total, "turn")}, the last one ${(turns.lastSeconds * 1000).toFixed(1)} ms`,
  ];
  emit(`  ${parts.join(` ${dot} `)}\n`);
  const { repaired } = document.rowChanges;
  if (repaired > 0) {
    const text = `${counted(repaired, "row")} had to be repaired: somebody else changes the maps`;
    emit(`  ${screen.paint("warning", text)}\n`);
  }
  emit("\n");
}

const POLICY_COLUMNS: readonly Column[] = [
  { title: "POLICY" },
  { title: "DISTRIBUTION" },
  { title: "ENDPOINTS", align: "right" },
  { title: "GATEWAYS", align: "right" },
  { title: "CONDITIONS" },
];

function renderPolicies(policies: readonly PolicyStatus[], screen: Screen, emit: Emit): void {
  if (policies.length === 0) {
    emit("No policy is in force.\n");
    emit("\n");
    return;
  }
  const rows = policies.map(({ name, distribution, endpoints, gateways, conditions }) => [
    printable(name),
    distribution,
    thousands(endpoints),
    gateways === 0 ? screen.paint("error", "0") : thousands(gateways),
    conditionsCell(conditions, screen),
  ]);
  renderTable({ columns: POLICY_COLUMNS, rows, size: rows.length, seeAll: SEE_ALL }, screen, emit);
  emit("\n");
}

function conditionsCell(conditions: PolicyStatus["conditions"], screen: Screen): string {
  if (conditions.length === 0) return screen.glyphs.dash;
  const texts = conditions.map(({ type, reason }) => `${type}: ${reason}`);
  return screen.paint("warning", texts.join(", "));
}

const GATEWAY_COLUMNS: readonly Column[] = [
  { title: "GATEWAY" },
  { title: "ADDRESS" },
  { title: "INDEX", align: "right" },
];
const EGRESS_COLUMNS: readonly Column[] = [
  { title: "EGRESS IP" },
  { title: "INTERFACE" },
  { title: "INDEX", align: "right" },
];

function renderIndexes({ gateways, egressIPs }: StatusDocument, screen: Screen, emit: Emit): void {
  const section = (columns: readonly Column[], rows: readonly (readonly string[])[]) => {
    if (rows.length === 0) return;
    renderTable({ columns, rows, size: rows.length, seeAll: SEE_ALL }, screen, emit);
    emit("\n");
  };
  section(
    GATEWAY_COLUMNS,
    gateways.map(({ index, address, node }) => {
      return [node === "" ? screen.paint("error", "gone") : printable(node), address, `${index}`];
    }),
  );
  section(
    EGRESS_COLUMNS,
    egressIPs.map(({ index, address, interface: device }) => {
      const shown = device === null ? screen.paint("error", "none") : printable(device);
      return [address, shown, `${index}`];
    }),
  );
}

const UNCLASSIFIED_COLUMNS: readonly Column[] = [
  { title: "UNCLASSIFIED" },
  { title: "INTERFACE" },
  { title: "WHY ITS NEW FLOWS WAIT" },
];

function renderUnclassified(
  unclassified: readonly UnclassifiedStatus[],
  screen: Screen,
  emit: Emit,
): void {
  if (unclassified.length === 0) return;
  const { dash } = screen.glyphs;
  const rows = unclassified.map(({ address, interface: device }) => [
    address ?? dash,
    device === null ? dash : printable(device),
    address === null
      ? "no pod is known behind it"
      : device === null
        ? "no device was found for this pod"
        : "its rows do not fit into the policy map",
  ]);
  const table = { columns: UNCLASSIFIED_COLUMNS, rows, size: rows.length, seeAll: SEE_ALL };
  renderTable(table, screen, emit);
  emit("\n");
}

/** What was dropped, each with its meaning and what to do about it. */
function renderCounters(counters: readonly CounterStatus[], screen: Screen, emit: Emit): void {
  const dropped = counters.filter(({ drop, packets }) => drop && packets > 0);
  if (counters.length > 0 && dropped.length === 0) emit("Nothing was dropped.\n");
  for (const { reason, packets, meaning, remedy } of dropped) {
    const name = screen.paint(remedy === "" ? "accent" : "warning", reason);
    emit(`${name}  ${counted(packets, "packet")} dropped\n`);
    renderAdvice({ text: meaning, remedy }, screen, emit);
  }
  emit("\n");
}

function renderSinks(sinks: readonly SinkStatus[], screen: Screen, emit: Emit): void {
  for (const { name, errors, lastError } of sinks) {
    if (lastError === null) continue;
    const count = counted(errors, "failure");
    emit(`${screen.paint("error", `${printable(name)} ${lastError.code}`)}  ${count}\n`);
    renderAdvice({ text: printable(lastError.message), remedy: lastError.remedy }, screen, emit);
  }
  emit("\n");
}

function renderAdvice(
  { text, remedy }: { readonly text: string; readonly remedy: string },
  screen: Screen,
  emit: Emit,
): void {
  paragraph(text, { first: "  ", rest: "  " }, screen, emit);
  if (remedy === "") return;
  const first = `  ${screen.glyphs.arrow} `;
  paragraph(printable(remedy), { first, rest: " ".repeat(first.length) }, screen, emit);
}
