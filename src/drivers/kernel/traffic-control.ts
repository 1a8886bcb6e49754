// Programs at the two hooks of a device, as filters of traffic control (clsact, direct action).
// Works on the network namespace of this process. Which filters are ours is the caller's business.

import { spawnSync } from "node:child_process";
import { errnoName, OperationError } from "../../lib/operation-error.ts";
import type { Filter } from "./libbpf.ts";
import { libbpf } from "./libbpf.ts";

/** BPF_TC_INGRESS and BPF_TC_EGRESS of bpf/libbpf.h. */
const POINTS = { ingress: 1, egress: 2 } as const;
export type Direction = keyof typeof POINTS;

/** One place for a program: a filter's number at a hook. */
export interface FilterPlace extends Filter {
  readonly ifindex: number;
  readonly direction: Direction;
}

/** A device without it, without the qdisc or without the filter. */
const NOTHING_THERE: ReadonlySet<string> = new Set(["ENOENT", "EINVAL"]);
/** The device itself is gone. */
export const NO_DEVICE = "ENODEV";

/**
 * The id of the program there, 0 where there is none. Throws OperationError, ENODEV if the device
 * is gone.
 */
export function queryFilter(place: FilterPlace): number {
  const program = new Uint32Array(1);
  const result = libbpf().queryFilter(hookOf(place), place, program);
  if (result >= 0) return program[0] ?? 0;
  if (NOTHING_THERE.has(errnoName(result))) return 0;
  throw failure(result, "bpf_tc_query", place);
}

/** Makes the device's hooks where they are missing; an `ingress` qdisc does as well. */
export function ensureHooks(place: FilterPlace): void {
  const result = libbpf().createHook(hookOf(place));
  if (result >= 0 || errnoName(result) === "EEXIST") return;
  throw failure(result, "bpf_tc_hook_create", place);
}

/** Puts a program there; `replace`: in one step instead of the one that is. */
export function attachFilter(
  place: FilterPlace,
  { programFd, replace }: { readonly programFd: number; readonly replace: boolean },
): void {
  const result = libbpf().attachFilter(hookOf(place), { ...place, programFd, replace });
  if (result < 0) throw failure(result, "bpf_tc_attach", place);
}

/** Takes the filter away, whatever it is. */
export function detachFilter(place: FilterPlace): void {
  const result = libbpf().detachFilter(hookOf(place), place);
  if (result < 0) throw failure(result, "bpf_tc_detach", place);
}

/**
 * The name that the filter there was given, as in `sluice_from_pod:[12]`; undefined: there is none.
 * Unlike the program's own name it needs no CAP_SYS_ADMIN. Throws OperationError.
 */
export function readFilterName({ ifindex, direction, handle }: FilterPlace): string | undefined {
  // `ifN` is the device of that number, whatever its name.
  const args = ["-json", "filter", "show", "dev", `if${ifindex}`, direction];
  const { status, stdout, error } = spawnSync("tc", args, { encoding: "utf8" });
  const target = `${direction} of the device ${ifindex}`;
  if (error !== undefined) {
    throw new OperationError({ code: "MissingTool", op: "tc", target, cause: error });
  }
  // A device that is gone has no filter.
  if (status !== 0 || stdout.trim() === "") return undefined;
  const filters = JSON.parse(stdout) as readonly RawFilter[];
  const wanted = `0x${handle.toString(16)}`;
  return filters.find(({ options }) => options?.handle === wanted)?.options?.bpf_name;
}

interface RawFilter {
  readonly options?: { readonly handle?: string; readonly bpf_name?: string };
}

function hookOf({ ifindex, direction }: FilterPlace): { ifindex: number; point: number } {
  return { ifindex, point: POINTS[direction] };
}

function failure(result: number, op: string, { ifindex, direction }: FilterPlace): OperationError {
  const target = `${direction} of the device ${ifindex}`;
  return new OperationError({ code: errnoName(result), op, target });
}
