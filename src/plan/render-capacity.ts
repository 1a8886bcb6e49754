// Capacity for people: how full each node's map is and how many ports an egress IP has to give.

import { bar } from "../lib/bar.ts";
import { compareBytes } from "../lib/order.ts";
import type { Emit, Screen } from "../lib/screen.ts";
import type { Column } from "../lib/table.ts";
import { renderTable } from "../lib/table.ts";
import { percent, printable, thousands } from "../lib/text.ts";
import { renderAddress } from "../net/address.ts";
import { fullerMap, portsPerEndpoint, SNAT_PORTS } from "./capacity.ts";
import type { Capacity, NodeCapacity } from "./plan.ts";

/** Cells of a bar: half as many where a line would not fit into 80 columns otherwise. */
export function barCells({ columns }: Screen): number {
  return columns !== undefined && columns < 100 ? 10 : 20;
}

/** A section's title and what its numbers are measured in. */
export function renderHeading(title: string, note: string, screen: Screen, emit: Emit): void {
  emit(`${screen.paint("title", title)}  ${note}\n`);
  emit("\n");
}

/** Nodes by fill and egress IPs by load, the fullest first: a cut list shows what matters. */
export function renderCapacity(capacity: Capacity, screen: Screen, emit: Emit): void {
  if (capacity.nodes.length > 0) renderMapFill(capacity, screen, emit);
  if (capacity.egressIPs.length > 0) renderPorts(capacity, screen, emit);
}

function renderMapFill({ nodes, mapSize, rows }: Capacity, screen: Screen, emit: Emit): void {
  const whose = rows === "all" ? "every row on every node" : "the rows that each node needs";
  renderHeading("Map fill", `${thousands(mapSize)} entries per map, ${whose}`, screen, emit);
  const held = nodes.some(({ heldEndpoints }) => heldEndpoints > 0);
  const fullestFirst = [...nodes].sort(
    (a, b) => fullerMap(b) - fullerMap(a) || compareBytes(a.node, b.node),
  );
  const columns = held ? [...FILL_COLUMNS, HELD_COLUMN] : FILL_COLUMNS;
  const cells = fullestFirst.map((node) => {
    const line = fillCells(node, mapSize, screen);
    return held ? [...line, thousands(node.heldEndpoints)] : line;
  });
  renderTable({ columns, rows: cells, size: cells.length, seeAll: "-o wide" }, screen, emit);
  emit("\n");
}

const FILL_COLUMNS: readonly Column[] = [
  { title: "NODE" },
  { title: "IPv4 ROWS", align: "right" },
  { title: "IPv6 ROWS", align: "right" },
  { title: "FILL", align: "right" },
  { title: "" },
];
const HELD_COLUMN: Column = { title: "HELD ENDPOINTS", align: "right" };

function fillCells(node: NodeCapacity, mapSize: number, screen: Screen): string[] {
  const fill = fullerMap(node);
  const tone = node.heldEndpoints > 0 ? "error" : "accent";
  return [
    printable(node.node),
    thousands(node.rowsIPv4),
    thousands(node.rowsIPv6),
    percent(fill, mapSize),
    screen.paint(tone, bar(fill, mapSize, barCells(screen), screen)),
  ];
}

function renderPorts({ egressIPs }: Capacity, screen: Screen, emit: Emit): void {
  const note = `${thousands(SNAT_PORTS)} per egress IP, protocol and destination`;
  renderHeading("SNAT ports", note, screen, emit);
  // The plan's order, by address, stays among equals: this sort is stable.
  const mostSharedFirst = [...egressIPs].sort((a, b) => b.endpoints - a.endpoints);
  const cells = mostSharedFirst.map(({ egressIP, node, endpoints }) => [
    renderAddress(egressIP),
    printable(node),
    thousands(endpoints),
    thousands(portsPerEndpoint(endpoints)),
  ]);
  const table = { columns: PORT_COLUMNS, rows: cells, size: cells.length, seeAll: "-o wide" };
  renderTable(table, screen, emit);
  emit("\n");
}

const PORT_COLUMNS: readonly Column[] = [
  { title: "EGRESS IP" },
  { title: "NODE" },
  { title: "ENDPOINTS", align: "right" },
  { title: "PORTS PER ENDPOINT", align: "right" },
];
