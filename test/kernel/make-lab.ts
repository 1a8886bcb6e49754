// Labs for tests: each with a name of its own, gone after the test.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { checkMachine } from "../../src/apps/lab/up.ts";
import { sluice } from "../support/run-cli.ts";
import { objectMissing } from "./datapath-node.ts";

/** Why no lab can be made here; undefined: one can. */
export function missingForLab(): string | undefined {
  try {
    checkMachine({ cni: "ptp" });
    return undefined;
  } catch (error) {
    return `no lab here: ${(error as Error).message}`;
  }
}

/** Why no lab with agents can be made here; false: one can. */
export function labSkip(): string | false {
  return missingForLab() ?? objectMissing() ?? false;
}

let labs = 0;

/** The name of a lab that nobody else has. */
export function freshName(): string {
  return `t${process.pid}-${++labs}`;
}

export type Run = ReturnType<typeof sluice>;
export type RunLab = (...words: string[]) => Run;

/** Runs `sluice lab` on a lab of this test's own, which is gone after the test. */
export function makeLab(t: TestContext): { readonly name: string; readonly lab: RunLab } {
  const name = freshName();
  const lab = (...words: string[]) => sluice(["lab", "--name", name, ...words]);
  t.after(() => void lab("down"));
  return { name, lab };
}

/** What a run wrote that must have succeeded. */
export function succeed({ exit, stdout, stderr }: Run): string {
  assert.equal(exit, 0, stderr + stdout);
  return stdout;
}

export interface CheckDocument {
  readonly fits: boolean;
  readonly flows: readonly {
    readonly pod: string;
    readonly node: string;
    readonly server: string;
    readonly protocol: string;
    readonly seen: string | null;
    readonly fits: boolean;
  }[];
  readonly sniffer: { readonly packets: number; readonly missed: number };
  readonly leaks: readonly { readonly address: string; readonly packets: number }[];
}

/** The document of `check`, and how it ended. */
export function check(
  lab: RunLab,
  ...options: string[]
): CheckDocument & { readonly exit: number | null } {
  const { exit, stdout, stderr } = lab("check", "-o", "json", ...options);
  assert.equal(stderr, "");
  return { ...(JSON.parse(stdout) as CheckDocument), exit };
}

/** Whatever exists of a lab: namespaces, mounts, files, processes. */
export function remains(name: string): string[] {
  const namespaces = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const processes = readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    } catch {
      return [];
    }
  });
  const all = [...namespaces, ...mounts, ...processes];
  const files = existsSync(`/run/sluice-lab/${name}`) ? ["its directory"] : [];
  const ours = all.filter((one) => one.includes(`sl-${name}_`) || one.includes(`/${name}/`));
  return [...files, ...ours];
}
