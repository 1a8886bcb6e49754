// A BPF file system of this process's own, in a mount namespace that ends with it: nothing of it is
// seen outside, and nothing outside is touched.

import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { errnoName } from "../../src/lib/operation-error.ts";
import { createMap } from "./raw-map.ts";

const CLONE_NEWNS = 0x20000;
const MS_REC_PRIVATE = 0x4000 | 0x40000;
const MNT_DETACH = 2;

export type PrivateBpffs =
  | { readonly directory: string; readonly skip: undefined }
  | { readonly directory: ""; readonly skip: string };

/** Mounts one; `skip`: why this machine cannot. */
export function mountPrivateBpffs(): PrivateBpffs {
  try {
    return { directory: mount(), skip: undefined };
  } catch (error) {
    return { directory: "", skip: `no BPF here: ${(error as Error).message}` };
  }
}

function mount(): string {
  if (process.getuid?.() !== 0) throw new Error("it needs root");
  koffi.load("libbpf.so.1");
  const libc = koffi.load("libc.so.6");
  const call = (name: string, types: string, ...args: unknown[]) => {
    if (libc.func(`int ${name}(${types})`)(...args) === 0) return;
    throw new Error(`${name}: ${errnoName(-koffi.errno())}`);
  };
  const mountTypes = "const char *, const char *, const char *, unsigned long, const char *";
  call("unshare", "int", CLONE_NEWNS);
  call("mount", mountTypes, "none", "/", "none", MS_REC_PRIVATE, "");
  const directory = mkdtempSync(join(tmpdir(), "sluice-bpffs-"));
  call("mount", mountTypes, "bpf", directory, "bpf", 0, "");
  process.on("exit", () => {
    call("umount2", "const char *, int", directory, MNT_DETACH);
    rmdirSync(directory);
  });
  const probe = createMap({ keySize: 12, valueSize: 8, maxEntries: 1 });
  if (probe < 0) throw new Error(`bpf_map_create: ${errnoName(probe)}`);
  return directory;
}
