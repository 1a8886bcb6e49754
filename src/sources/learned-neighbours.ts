// What bridges and neighbour tables learned and forget again after minutes of silence. A silent pod
// has not moved: what was learned stands as long as nothing contradicts it.

import type { BridgeEntry, KernelState, Neighbour } from "../net/kernel-state.ts";

/** More than a node has pods: what is beyond was learned from somebody who makes addresses up. */
const KEPT_MAX = 4096;

/**
 * `now` with what is missing from it of `before`: the bridges' neighbours while their addresses
 * have no other MAC address and their ports stay in the bridge, and the bridges' entries for them.
 * Gives `now` itself where nothing is missing, or far too much.
 */
export function keepLearned(before: KernelState, now: KernelState): KernelState {
  const entries = lostEntries(before, now);
  const behind = new Set([...now.bridgeEntries, ...entries].map(placeOf));
  const neighbours = lostNeighbours(before, now).filter((one) => behind.has(placeOf(one)));
  const wanted = new Set([...now.neighbours, ...neighbours].map(placeOf));
  const kept = entries.filter((one) => wanted.has(placeOf(one)));
  const count = kept.length + neighbours.length;
  if (count === 0 || count > KEPT_MAX) return now;
  return {
    ...now,
    bridgeEntries: [...now.bridgeEntries, ...kept],
    neighbours: [...now.neighbours, ...neighbours],
  };
}

function lostEntries(before: KernelState, now: KernelState): BridgeEntry[] {
  const known = new Set(now.bridgeEntries.map(placeOf));
  const masters = new Map(now.links.map(({ ifindex, master }) => [ifindex, master]));
  return before.bridgeEntries.filter((entry) => {
    return masters.get(entry.port) === entry.bridge && !known.has(placeOf(entry));
  });
}

function lostNeighbours(before: KernelState, now: KernelState): Neighbour[] {
  const known = new Set(now.neighbours.map(({ ifindex, address }) => `${ifindex} ${address}`));
  return before.neighbours.filter(({ ifindex, address }) => !known.has(`${ifindex} ${address}`));
}

/** A MAC address on a bridge. */
function placeOf(one: BridgeEntry | Neighbour): string {
  return `${"bridge" in one ? one.bridge : one.ifindex} ${one.mac}`;
}
