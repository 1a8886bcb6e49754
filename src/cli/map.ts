// `sluice map`: what stands in this node's policy maps.

import { networkInterfaces } from "node:os";
import type { Address } from "../net/address.ts";
import { parseAddress } from "../net/address.ts";
import { decodeRows } from "../plan/map-layout.ts";
import type { ListedMap } from "../plan/render-map.ts";
import { compareMapRows, renderMaps, writeMaps } from "../plan/render-map.ts";
import type { FoundMap } from "../sinks/policy-maps.ts";
import { readPolicyMaps } from "../sinks/policy-maps.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError, usageErrorOf } from "./command.ts";
import type { Terminal } from "./terminal.ts";

/** Lists the maps that are pinned in `--map-dir`; what cannot be read is a UsageError. */
export async function run(args: Arguments, { screen, emit }: Terminal): Promise<Exit> {
  const directory = args.text("map-dir") ?? "";
  const maps = (await read(directory)).map(listed);
  if (maps.length === 0) {
    throw new UsageError(
      `there is no policy map in ${directory}`,
      "An agent makes them when it starts; --map-dir names the directory where it pins them.",
    );
  }
  if (args.choice("output", ["table", "json"]) === "json") writeMaps(maps, emit);
  else renderMaps(maps, localAddresses(), screen, emit);
  return EXIT.ok;
}

/** Every address of this machine. */
function localAddresses(): ReadonlySet<Address> {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  const addresses = all.map(({ address }) => parseAddress(address));
  return new Set(addresses.filter((address) => address !== undefined));
}

async function read(directory: string): Promise<FoundMap[]> {
  try {
    return await readPolicyMaps(directory);
  } catch (error) {
    throw usageErrorOf(error);
  }
}

function listed({ layout, path, maxEntries, entries }: FoundMap): ListedMap {
  const rows = [...decodeRows(layout, entries)].sort(compareMapRows);
  return { name: layout.name, path, maxEntries, rows };
}
