// Where our programs hang: at the ingress of pods' devices and at both hooks of the tunnel. Ours
// are recognised by their place (priority and handle) and by their name, so that a restarted agent
// finds its own, swaps them without a packet lost, and leaves foreign filters alone.

import { runCommand } from "../drivers/kernel/command.ts";
import { readProgram } from "../drivers/kernel/bpf-program.ts";
import type { Direction, FilterPlace } from "../drivers/kernel/traffic-control.ts";
import {
  attachFilter,
  detachFilter,
  ensureHooks,
  NO_DEVICE,
  queryFilter,
  readFilterName,
} from "../drivers/kernel/traffic-control.ts";
import { OperationError } from "../lib/operation-error.ts";

/** First at its hook: a program before ours that ends the chain would hide ours. */
const PRIORITY = 1;
/** Filters of one priority are told apart by it. */
const HANDLE = 0x51ce;
/** What all our programs' names begin with, of any version. */
const NAME_PREFIX = "sluice_";

const DIRECTIONS: readonly Direction[] = ["ingress", "egress"];

/** A loaded program. */
export interface LoadedProgram {
  readonly fd: number;
  readonly id: number;
}

export interface Attachment {
  readonly ifindex: number;
  readonly direction: Direction;
  readonly program: LoadedProgram;
}

/** What became of the devices, by ifindex, each list sorted. */
export interface AttachOutcome {
  /** Where none of ours was. */
  readonly attached: readonly number[];
  /** Where a program of an earlier life or version was. */
  readonly replaced: readonly number[];
  readonly unchanged: readonly number[];
  readonly detached: readonly number[];
  /** Wanted, but there are no such devices (any more). */
  readonly vanished: readonly number[];
  /** By code `ForeignFilter`: somebody else's filter has our place. */
  readonly failed: readonly { readonly ifindex: number; readonly error: OperationError }[];
}

type Done = "attached" | "replaced" | "unchanged" | "detached" | "vanished" | "nothing";

/**
 * Makes ours hang where they should and nowhere else of `devices`, those that may carry ours. A
 * device that fails does not keep the others from being done.
 */
export function applyAttachments(
  wanted: readonly Attachment[],
  devices: Iterable<number>,
): AttachOutcome {
  const done: Record<Done, Set<number>> = {
    ...{ attached: new Set(), replaced: new Set(), unchanged: new Set() },
    ...{ detached: new Set(), vanished: new Set(), nothing: new Set() },
  };
  const failed: { ifindex: number; error: OperationError }[] = [];
  const act = (ifindex: number, work: () => Done) => {
    try {
      done[work()].add(ifindex);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      failed.push({ ifindex, error });
    }
  };
  for (const one of wanted) act(one.ifindex, () => attach(one));
  const kept = new Set(wanted.map(({ ifindex, direction }) => `${ifindex} ${direction}`));
  for (const ifindex of devices) {
    for (const direction of DIRECTIONS) {
      if (!kept.has(`${ifindex} ${direction}`)) act(ifindex, () => detach(ifindex, direction));
    }
  }
  const sorted = (set: ReadonlySet<number>) => [...set].sort((a, b) => a - b);
  return {
    attached: sorted(done.attached),
    replaced: sorted(done.replaced),
    unchanged: sorted(done.unchanged),
    detached: sorted(done.detached),
    vanished: sorted(done.vanished),
    failed: failed.sort((a, b) => a.ifindex - b.ifindex),
  };
}

/** Ids of our programs that hang at these devices, of whatever version. */
export function findAttached(devices: Iterable<number>): number[] {
  const found = new Set<number>();
  for (const ifindex of devices) {
    for (const direction of DIRECTIONS) {
      const place = placeOf(ifindex, direction);
      const id = unlessGone(() => queryFilter(place)) ?? 0;
      if (id !== 0 && isOurs(place, id)) found.add(id);
    }
  }
  return [...found];
}

/** Detaches ours; gives the devices that carried some. */
export function detachAll(devices: readonly number[]): number[] {
  const { detached, failed } = applyAttachments([], devices);
  for (const { error } of failed) throw error;
  return [...detached];
}

/** Removes the clsact qdiscs of devices on which no filter is left: then nobody else uses them. */
export async function removeEmptyHooks(devices: readonly number[]): Promise<void> {
  const links = JSON.parse(await runCommand("ip", ["-json", "link", "show"])) as LinkText[];
  const qdiscs = JSON.parse(await runCommand("tc", ["-json", "qdisc", "show"])) as QdiscText[];
  const hooked = new Set(qdiscs.filter(({ kind }) => kind === "clsact").map(({ dev }) => dev));
  for (const { ifindex, ifname } of links) {
    if (!devices.includes(ifindex) || !hooked.has(ifname)) continue;
    const filters: unknown[] = [];
    for (const direction of DIRECTIONS) {
      const args = ["-json", "filter", "show", "dev", ifname, direction];
      filters.push(...(JSON.parse((await runCommand("tc", args)) || "[]") as unknown[]));
    }
    if (filters.length === 0) await runCommand("tc", ["qdisc", "del", "dev", ifname, "clsact"]);
  }
}

interface LinkText {
  readonly ifindex: number;
  readonly ifname: string;
}

interface QdiscText {
  readonly kind: string;
  readonly dev: string;
}

function attach({ ifindex, direction, program }: Attachment): Done {
  const place = placeOf(ifindex, direction);
  const done = unlessGone((): Done => {
    const present = queryFilter(place);
    if (present === program.id) return "unchanged";
    if (present !== 0 && !isOurs(place, present)) {
      const target = `${direction} of the device ${ifindex}`;
      const detail = `the program ${present} of somebody else has the place of ours`;
      throw new OperationError({ code: "ForeignFilter", op: "bpf_tc_query", target, detail });
    }
    if (present === 0) ensureHooks(place);
    attachFilter(place, { programFd: program.fd, replace: present !== 0 });
    return present === 0 ? "attached" : "replaced";
  });
  return done ?? "vanished";
}

function detach(ifindex: number, direction: Direction): Done {
  const place = placeOf(ifindex, direction);
  const done = unlessGone((): Done => {
    const present = queryFilter(place);
    if (present === 0 || !isOurs(place, present)) return "nothing";
    detachFilter(place);
    return "detached";
  });
  return done ?? "nothing";
}

/** What `work` gives, or undefined where the device is gone, which may happen at any time. */
function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof OperationError && error.code === NO_DEVICE) return undefined;
    throw error;
  }
}

/**
 * A program that is gone meanwhile was not ours to keep either. To ask for a program by its number
 * takes CAP_SYS_ADMIN, which an agent in a container lacks: then the filter's own name tells.
 */
function isOurs(place: FilterPlace, program: number): boolean {
  try {
    return readProgram(program)?.name.startsWith(NAME_PREFIX) ?? true;
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== "EPERM") throw error;
    return readFilterName(place)?.startsWith(NAME_PREFIX) ?? true;
  }
}

function placeOf(ifindex: number, direction: Direction): FilterPlace {
  return { ifindex, direction, priority: PRIORITY, handle: HANDLE };
}
