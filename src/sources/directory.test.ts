import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Issue } from "../model/issue.ts";
import type { Labels } from "../model/labels.ts";
import { labelValue } from "../model/labels.ts";
import type { ObjectChange } from "../model/objects.ts";
import { watchDirectory } from "./directory.ts";

const SOON_MS = 4_000;
const QUIET_MS = 30;

interface Watched {
  readonly path: string;
  /** Every change so far, as `+key labels` or `-key`. */
  readonly log: readonly string[];
  issues(): readonly Issue[];
  readonly synced: Promise<void>;
  file(name: string, text: string): Promise<void>;
  /** Waits until the log has these lines after what was taken before, in any order. */
  next(...lines: string[]): Promise<void>;
  /** Waits for the codes of all issues. */
  hasIssues(...codes: string[]): Promise<void>;
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "sluice-directory-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function watched(
  t: TestContext,
  path: string,
  debounceMs = QUIET_MS,
): Promise<Watched> {
  const log: string[] = [];
  let issues: readonly Issue[] = [];
  const source = watchDirectory({
    path,
    debounceMs,
    onChanges: (changes) => log.push(...changes.map(lineOf)),
    onIssues: (all) => (issues = all),
  });
  t.after(() => source.close());
  let taken = 0;
  return {
    path,
    log,
    issues: () => issues,
    synced: source.synced,
    file: (name, text) => writeFile(join(path, name), text),
    async next(...lines) {
      const rest = () => log.slice(taken).sort();
      await until(() => log.length >= taken + lines.length, () => `log: ${rest().join(", ")}`);
      assert.deepEqual(rest(), lines.sort());
      taken = log.length;
    },
    hasIssues: (...codes) => {
      const now = () => issues.map(({ code }) => code).join();
      return until(() => now() === codes.join(), () => `issues: ${now()}`);
    },
  };
}

async function until(holds: () => boolean, shown: () => string): Promise<void> {
  const deadline = performance.now() + SOON_MS;
  while (!holds()) {
    if (performance.now() > deadline) assert.fail(shown());
    await sleep(5);
  }
}

function lineOf({ kind, key, value, refused }: ObjectChange): string {
  if (value === undefined) return refused ? `!${key}` : `-${key}`;
  const v = kind === "Namespace" ? labelValue(value as Labels, "v") : undefined;
  return `+${key} ${v ?? ""}`.trim();
}

/** A Namespace whose label `v` tells its version. */
const space = (name: string, v: string) =>
  `---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {v: "${v}"}}\n`;

describe("a watched directory", () => {
  test("gives what is there, then differences only", async (t) => {
    const path = await folder(t);
    await writeFile(join(path, "a.yaml"), space("a", "1") + space("b", "1"));
    await writeFile(join(path, "notes.txt"), "not: [yaml");
    const watch = await watched(t, path);
    await watch.synced;
    await watch.next("+a 1", "+b 1");
    const c = { apiVersion: "v1", kind: "Namespace", metadata: { name: "c" } };
    await watch.file("c.json", JSON.stringify(c));
    await watch.next("+c");
    await watch.file("a.yaml", space("b", "2") + space("a", "1"));
    await watch.next("+b 2");
    await rm(join(path, "a.yaml"));
    await watch.next("-a", "-b");
    assert.deepEqual(watch.issues(), []);
  });

  test("takes a file that is replaced by renaming, and one that is moved", async (t) => {
    const watch = await watched(t, await folder(t));
    await watch.file("a.yaml", space("a", "1"));
    await watch.next("+a 1");
    await watch.file(".a.yaml.swp", space("a", "2"));
    await rename(join(watch.path, ".a.yaml.swp"), join(watch.path, "a.yaml"));
    await watch.next("+a 2");
    await rename(join(watch.path, "a.yaml"), join(watch.path, "z.yml"));
    await sleep(8 * QUIET_MS);
    await watch.next();
    await rename(join(watch.path, "z.yml"), join(watch.path, "z.off"));
    await watch.next("-a");
  });

  test("keeps a file's objects while it is half written [2.3]", async (t) => {
    const watch = await watched(t, await folder(t));
    await watch.file("a.yaml", space("a", "1") + space("b", "1"));
    await watch.next("+a 1", "+b 1");
    await watch.file("a.yaml", `${space("a", "2")}---\nmetadata: {name: [`);
    await watch.hasIssues("UnreadableFile");
    const [found] = watch.issues();
    assert.match(found?.object ?? "", /a\.yaml:\d+$/);
    assert.match(found?.message ?? "", /not YAML.*last good objects stay in force/s);
    await watch.next();
    // A document that is no object may be the beginning of one.
    await watch.file("a.yaml", `${space("a", "3")}---\napiVersion: v1\n`);
    await watch.hasIssues("NotAnObject");
    await watch.next("+a 3");
    await watch.file("a.yaml", "");
    await watch.hasIssues("UnreadableFile");
    assert.match(watch.issues()[0]?.message ?? "", /empty; remove it/);
    await watch.next();
    await watch.file("a.yaml", space("a", "4"));
    await watch.hasIssues();
    await watch.next("+a 4", "-b");
  });

  test("reads a file that is written in pieces when the last one is there", async (t) => {
    const watch = await watched(t, await folder(t), 400);
    await watch.file("a.yaml", space("a", "1") + space("b", "1") + space("c", "1"));
    await watch.next("+a 1", "+b 1", "+c 1");
    await watch.file("a.yaml", space("a", "2"));
    for (const name of ["b", "c"]) {
      await sleep(40);
      await appendFile(join(watch.path, "a.yaml"), space(name, "2"));
    }
    await watch.next("+a 2", "+b 2", "+c 2");
    // The control: a pause that is too long shows the objects before it alone.
    await watch.file("a.yaml", space("a", "3"));
    await watch.next("+a 3", "-b", "-c");
  });

  test("deletes nothing when the directory itself is gone", async (t) => {
    const watch = await watched(t, join(await folder(t), "inner"));
    await watch.hasIssues("UnreadableFile");
    await mkdir(watch.path);
    await watch.synced;
    await watch.hasIssues();
    await watch.file("a.yaml", space("a", "1"));
    await watch.file("b.yaml", space("b", "1"));
    await watch.next("+a 1", "+b 1");
    // In one step: while it is removed file by file, it is a directory with fewer files.
    await rename(watch.path, `${watch.path}.gone`);
    await watch.hasIssues("UnreadableFile");
    assert.match(watch.issues()[0]?.message ?? "", /no such file.*last objects stay in force/);
    await watch.next();
    await mkdir(watch.path);
    await watch.file("a.yaml", space("a", "2"));
    await watch.hasIssues();
    await watch.next("+a 2", "-b");
    // It listens to the new directory too.
    await watch.file("c.yaml", space("c", "1"));
    await watch.next("+c 1");
  });

  test("takes one of an object's versions wherever the others are", async (t) => {
    const watch = await watched(t, await folder(t));
    const at = (version: number, v: string) =>
      space("a", v).replace("labels", `resourceVersion: "${version}", labels`);
    await watch.file("a.yaml", at(2, "new"));
    await watch.file("b.yaml", at(1, "old"));
    await watch.next("+a new");
    await watch.hasIssues("DuplicateObject");
    await rm(join(watch.path, "a.yaml"));
    await watch.next("+a old");
    await watch.hasIssues();
  });

  test("follows links that are swapped, as in a mounted ConfigMap", async (t) => {
    const path = await folder(t);
    for (const v of ["1", "2"]) {
      await mkdir(join(path, `..${v}`));
      await writeFile(join(path, `..${v}`, "a.yaml"), space("a", v));
    }
    await symlink("..1", join(path, "..data"));
    await symlink("..data/a.yaml", join(path, "a.yaml"));
    const watch = await watched(t, path);
    await watch.next("+a 1");
    await symlink("..2", join(path, "..data_tmp"));
    await rename(join(path, "..data_tmp"), join(path, "..data"));
    await watch.next("+a 2");
  });

  test("tells a refused object as refused, and calls nothing after it is closed", async (t) => {
    const path = await folder(t);
    const log: string[] = [];
    const onChanges = (changes: readonly ObjectChange[]) => log.push(...changes.map(lineOf));
    const source = watchDirectory({ path, debounceMs: QUIET_MS, onChanges, onIssues: () => 0 });
    const kind = "CiliumEgressGatewayPolicy";
    const policy = { apiVersion: "cilium.io/v2", kind, metadata: { name: "p" } };
    await writeFile(join(path, "p.yaml"), JSON.stringify(policy));
    await until(() => log.length > 0, () => "no change");
    assert.deepEqual(log, ["!p"]);
    await source.close();
    await rm(join(path, "p.yaml"));
    await sleep(4 * QUIET_MS);
    assert.deepEqual(log, ["!p"]);
  });
});
