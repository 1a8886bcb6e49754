// The contract of sources, kept by a watched directory.

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { watchDirectory } from "../../src/sources/directory.ts";
import { proveSource } from "./source.ts";
import type { Manifest } from "./source.ts";

test("a watched directory is a source", async (t) => {
  const parent = await mkdtemp(join(tmpdir(), "sluice-contract-"));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const [path, away] = [join(parent, "objects"), join(parent, "away")];
  await mkdir(path);
  const fileOf = ({ kind, metadata }: Manifest) => join(path, `${kind}-${metadata.name}.json`);
  await proveSource(t, {
    // Renamed, as sources ask for: a file that is written in place may be seen half.
    async put(object) {
      const unfinished = join(parent, "unfinished");
      await writeFile(unfinished, JSON.stringify(object));
      await rename(unfinished, fileOf(object));
    },
    remove: (object) => rm(fileOf(object)),
    watch: (listener) => {
      return watchDirectory({
        path,
        debounceMs: 20,
        onChanges: (changes) => listener.onChanges(changes),
        onIssues: (issues) => listener.onIssues(issues),
      });
    },
    goAway: () => rename(path, away),
    comeBack: () => rename(away, path),
  });
});
