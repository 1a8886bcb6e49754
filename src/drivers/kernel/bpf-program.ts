// A loaded program as the kernel describes it, found by its id.

import { closeSync } from "node:fs";
import { errnoName, OperationError } from "../../lib/operation-error.ts";
import { libbpf } from "./libbpf.ts";

export interface ProgramInfo {
  readonly id: number;
  /** At most 15 characters: the kernel cuts names. */
  readonly name: string;
  /** Ids of the maps that it uses. */
  readonly mapIds: readonly number[];
}

/** Bytes of struct bpf_prog_info up to its name's end. */
const INFO_BYTES = 80;
const NAME_AT = 64;
const MAPS_MAX = 64;

/** The program with this id; undefined: it is gone. Throws OperationError. */
export function readProgram(id: number): ProgramInfo | undefined {
  const fd = libbpf().programById(id);
  if (fd < 0 && errnoName(fd) === "ENOENT") return undefined;
  if (fd < 0) throw failure(fd, "bpf_prog_get_fd_by_id", id);
  try {
    return readProgramFd(fd);
  } finally {
    closeSync(fd);
  }
}

/** The program behind a descriptor. Throws OperationError. */
export function readProgramFd(fd: number): ProgramInfo {
  const bytes = new Uint8Array(INFO_BYTES);
  const mapIds = new Uint32Array(MAPS_MAX);
  const result = libbpf().programInfo(fd, bytes, mapIds);
  if (result < 0) throw failure(result, "bpf_obj_get_info_by_fd", fd);
  const words = new Uint32Array(bytes.buffer);
  const name = Buffer.from(bytes.subarray(NAME_AT)).toString("latin1").replace(/\0.*$/s, "");
  return { id: words[1] ?? 0, name, mapIds: [...mapIds.subarray(0, words[13])] };
}

function failure(result: number, op: string, number: number): OperationError {
  return new OperationError({ code: errnoName(result), op, target: `program ${number}` });
}
