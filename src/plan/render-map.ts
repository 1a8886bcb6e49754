// The pictures of policy maps as they are in a kernel, ours or Cilium's: a table for each map, or
// one document for all.

import type { DataObject } from "../lib/data.ts";
import type { Emit, Screen } from "../lib/screen.ts";
import type { Column } from "../lib/table.ts";
import { renderTable } from "../lib/table.ts";
import { counted, printable, thousands } from "../lib/text.ts";
import type { Address } from "../net/address.ts";
import { renderAddress } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import {
  bitsOf,
  comparePrefixes,
  prefixAddress,
  prefixFamily,
  prefixLength,
  renderPrefix,
} from "../net/prefix.ts";
import { shortList, writeDocument } from "./document.ts";
import type { MapRow } from "./map-layout.ts";
import { gatewayCells, renderLegend } from "./row-cells.ts";

export interface ListedMap {
  readonly name: string;
  readonly path: string;
  readonly maxEntries: number;
  /** Sorted, see `compareMapRows`. */
  readonly rows: readonly MapRow[];
}

/** Orders entries by source, then destination: IPv4 first, then bytes. */
export function compareMapRows(a: MapRow, b: MapRow): number {
  return (
    comparePrefixes(a.source, b.source) || comparePrefixes(a.destination, b.destination)
  );
}

/**
 * The maps one after the other, with how full each is. `local`: the addresses of the machine whose
 * maps these are; where none is a gateway's, this may be no gateway, or not the node's own network.
 */
export function renderMaps(
  maps: readonly ListedMap[],
  local: ReadonlySet<Address>,
  screen: Screen,
  emit: Emit,
): void {
  const rows = maps.flatMap((map) => map.rows);
  const own = rows.some(({ gatewayIP }) => local.has(gatewayIP)) ? local : undefined;
  for (const [i, { path, maxEntries, rows }] of maps.entries()) {
    if (i > 0) emit("\n");
    const room = `${counted(rows.length, "row")}, room for ${thousands(maxEntries)}`;
    emit(`${screen.paint("title", printable(path))}  ${room}\n`);
    if (rows.length === 0) continue;
    const withIfindex = rows[0]?.ifindex !== null;
    const table = {
      columns: withIfindex ? [...COLUMNS, IFINDEX] : COLUMNS,
      rows: rows.map((row) => cells(row, own, screen)),
      size: rows.length,
      seeAll: "-o json",
    };
    renderTable(table, screen, emit);
  }
  if (rows.length === 0) return;
  emit("\n");
  renderLegend(screen, emit);
}

const COLUMNS: readonly Column[] = [
  { title: "SOURCE IP" },
  { title: "DESTINATION CIDR" },
  { title: "EGRESS IP" },
  { title: "GATEWAY IP" },
];
const IFINDEX: Column = { title: "IF", align: "right" };

function cells(row: MapRow, own: ReadonlySet<Address> | undefined, screen: Screen): string[] {
  const { egressIP, gatewayIP, ifindex } = gatewayCells(row, own, screen);
  return [
    renderSource(row.source),
    renderPrefix(row.destination),
    egressIP,
    gatewayIP,
    ...(row.ifindex === null ? [] : [ifindex]),
  ];
}

/** An address, or a prefix where a stranger wrote less than a whole one. */
function renderSource(source: Prefix): string {
  const whole = prefixLength(source) === bitsOf(prefixFamily(source));
  return whole ? renderAddress(prefixAddress(source)) : renderPrefix(source);
}

/** The document of `sluice map list -o json`. */
export function writeMaps(maps: readonly ListedMap[], emit: Emit): void {
  const rows = maps.flatMap(({ name, rows }) => rows.map((row) => ({ name, row })));
  const fields = [
    { key: "maps", list: shortList(maps, mapData) },
    { key: "rows", list: shortList(rows, ({ name, row }) => rowData(name, row)) },
  ];
  writeDocument("PolicyMaps", fields, "json", emit);
}

function mapData({ name, path, maxEntries, rows }: ListedMap): DataObject {
  return { name, path, maxEntries, rows: rows.length };
}

function rowData(map: string, row: MapRow): DataObject {
  return {
    map,
    source: renderSource(row.source),
    destination: renderPrefix(row.destination),
    egressIP: renderAddress(row.egressIP),
    gatewayIP: renderAddress(row.gatewayIP),
    ifindex: row.ifindex,
  };
}
