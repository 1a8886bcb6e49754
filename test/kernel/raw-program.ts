// A program of somebody else, by a second hand: libbpf called directly.

import assert from "node:assert/strict";
import { closeSync } from "node:fs";
import koffi from "koffi";

/** SCHED_CLS of linux/bpf.h. */
const SCHED_CLS = 3;
/** `return -1`: go on with the next one. */
const CODE = Buffer.from("b7000000ffffffff9500000000000000", "hex");

/** Loads a program named `foreign` for tc and pins it. */
export function pinForeignProgram(path: string): void {
  const libbpf = koffi.load("libbpf.so.1");
  const types = "int, const char *, const char *, void *, size_t, void *";
  const load = libbpf.func(`int bpf_prog_load(${types})`);
  const fd = load(SCHED_CLS, "foreign", "GPL", CODE, CODE.length / 8, null) as number;
  assert.ok(fd > 0, `bpf_prog_load: ${fd}`);
  assert.equal(libbpf.func("int bpf_obj_pin(int, const char *)")(fd, path), 0);
  closeSync(fd);
}
