// The three distribution strategies as arithmetic (rules 5.1 to 5.3). Each is a function of current
// state alone; engine/distribute.ts applies them to whole policies.

import { fmix32 } from "../lib/hash.ts";
import { v4Number } from "../net/address.ts";
import type { Gateway } from "./gateway.ts";

/** Rule 5.1: the endpoint at place `rank` of the policy's order goes to entry `rank mod n`. */
export function roundRobin(rank: number, gateways: number): number {
  return rank % gateways;
}

/**
 * The order that cilium-hash indexes: places in `gateways` by gateway IP as a number, equal ones in
 * the policy's own order (rule 5.2).
 */
export function ciliumOrder(gateways: readonly Gateway[]): number[] {
  return gateways
    .map(({ gatewayIP, entry: { entry } }, place) => ({ place, ip: v4Number(gatewayIP), entry }))
    .sort((a, b) => a.ip - b.ip || a.entry - b.entry)
    .map(({ place }) => place);
}

/** Rule 5.2: `uidHash` is FNV-1a 32 of the CiliumEndpoint's UID; an index into `ciliumOrder`. */
export function ciliumHash(uidHash: number, gateways: number): number {
  return uidHash % gateways;
}

/** Rule 5.3: the score of one endpoint for one gateway, unsigned 32 bits; the highest wins. */
export function rendezvousScore(uidHash: number, keyHash: number): number {
  return fmix32((uidHash ^ keyHash) >>> 0);
}

/** The place of the winner in `gateways`, which is in rule 5.1's order; equal scores: the first. */
export function rendezvousWinner(uidHash: number, gateways: readonly Gateway[]): number {
  let best = 0;
  let bestScore = -1;
  for (let place = 0; place < gateways.length; place++) {
    const score = rendezvousScore(uidHash, (gateways[place] as Gateway).keyHash);
    if (score > bestScore) {
      best = place;
      bestScore = score;
    }
  }
  return best;
}
