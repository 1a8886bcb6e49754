// A directory of one test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
