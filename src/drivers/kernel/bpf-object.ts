// A compiled object file with programs and maps: opened, fitted to what is there, loaded. What is
// loaded ends with it unless it is pinned or attached.

import { errnoName, OperationError } from "../../lib/operation-error.ts";
import type { BpfMap } from "./bpf-map.ts";
import type { Pointer } from "./libbpf.ts";
import { libbpf, makeLog } from "./libbpf.ts";

/** Bytes of the verifier's log; it is cut off behind them. */
const LOG_BYTES = 1 << 20;
/** Characters of the log's end that an error repeats: the reason comes last. */
const LOG_SHOWN = 1_500;

export class BpfObject {
  readonly #path: string;
  readonly #object: Pointer;

  private constructor(path: string, object: Pointer) {
    this.#path = path;
    this.#object = object;
  }

  /** Reads the file and loads nothing yet. Throws OperationError, ENOENT where it is not. */
  static open(path: string): BpfObject {
    const object = libbpf().openObject(path);
    if (typeof object === "bigint") return new BpfObject(path, object);
    const code = errnoName(object);
    throw new OperationError({ code, op: "bpf_object__open_file", target: path });
  }

  /** Lets the programs use a map that exists, instead of making theirs. */
  reuse(name: string, map: BpfMap): void {
    this.#check(libbpf().reuseMap(this.#map(name), map.fd), "bpf_map__reuse_fd", name);
  }

  /** The room of a map that is going to be made. */
  resize(name: string, maxEntries: number): void {
    this.#check(libbpf().resizeMap(this.#map(name), maxEntries), "bpf_map__set_max_entries", name);
  }

  /** The bytes of a section of constants. */
  setConstants(section: string, bytes: Uint8Array): void {
    const result = libbpf().setInitialValue(this.#map(section), bytes);
    this.#check(result, "bpf_map__set_initial_value", section);
  }

  /** Makes the maps and loads the programs; what the verifier says is in the error. */
  load(programs: readonly string[]): void {
    const logs = programs.map((name) => ({ name, log: makeLog(LOG_BYTES) }));
    try {
      for (const { name, log } of logs) {
        this.#check(libbpf().setLog(this.#program(name), log), "bpf_program__set_log_buf", name);
      }
      const result = libbpf().loadObject(this.#object);
      if (result >= 0) return;
      const said = logs.map(({ name, log }) => ({ name, text: log.readText().trim() }));
      // Programs are loaded one by one, and one that passes leaves no more than statistics.
      const refused = said.findLast(({ text }) => text !== "");
      const failure = { code: errnoName(result), op: "bpf_object__load", target: this.#path };
      if (refused === undefined) throw new OperationError(failure);
      const detail = `the kernel refuses ${refused.name}: ${refused.text.slice(-LOG_SHOWN)}`;
      throw new OperationError({ ...failure, detail });
    } finally {
      for (const { log } of logs) log.free();
    }
  }

  /** The descriptor of a loaded program; it lives as long as this object. */
  programFd(name: string): number {
    return libbpf().programFd(this.#program(name));
  }

  pinProgram(name: string, path: string): void {
    const result = libbpf().pin(this.programFd(name), path);
    this.#check(result, "bpf_obj_pin", path);
  }

  pinMap(name: string, path: string): void {
    const result = libbpf().pin(libbpf().mapFd(this.#map(name)), path);
    this.#check(result, "bpf_obj_pin", path);
  }

  close(): void {
    libbpf().closeObject(this.#object);
  }

  #map(name: string): Pointer {
    const map = libbpf().findMap(this.#object, name);
    if (map === undefined) throw this.#foreign(`of another version: it has no map ${name}`);
    return map;
  }

  #program(name: string): Pointer {
    const program = libbpf().findProgram(this.#object, name);
    if (program === undefined) throw this.#foreign(`of another version: it has no program ${name}`);
    return program;
  }

  #foreign(detail: string): OperationError {
    const target = this.#path;
    return new OperationError({ code: "ForeignObject", op: "bpf_object__find", target, detail });
  }

  #check(result: number, op: string, name: string): void {
    if (result >= 0) return;
    const target = `${this.#path}, ${name}`;
    throw new OperationError({ code: errnoName(result), op, target });
  }
}
