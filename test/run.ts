// Runs the test suites and prints what a person wants to know: a line per file, each failure with
// its place and reason, a line per suite, and last `N passed, N failed, N skipped`.
//
//   node test/run.ts [PATH...]     only test files below these paths
//
// Exit status 1 when a test failed, when one was skipped without a reason, or when none ran.
// What a suite needs (root, clang, a cluster) its tests check themselves: they skip with a reason.

import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { run } from "node:test";
import type { EventData } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Every suite that there is or will be, so that one without tests is seen to be missing. */
const SUITES: Readonly<Record<string, string>> = {
  unit: "single functions, beside their code",
  scenarios: "stories: clusters, events and the rows that follow",
  model: "properties: the engine against the naive reference",
  cli: "the commands as people call them",
  tidy: "house rules of the code and the documents",
  contract: "one behaviour for every source and sink",
  sim: "a lawful but nasty world, seeded",
  kernel: "real kernel, real packets; needs root",
  cluster: "a real kube-apiserver and etcd",
};

/** `make soak` takes full numbers, and its time. */
const PATIENCE = process.env["SLUICE_SOAK"] === "1" ? 10 : 1;
const TEST_TIMEOUT_MS = 300_000 * PATIENCE;
const RUN_TIMEOUT_MS = 2_400_000 * PATIENCE;

const NO_TESTS = "the file has no tests";

interface Failure {
  readonly title: string;
  readonly place: string;
  readonly reason: string;
}

/** What became of the tests of one file, of one suite, or of all. */
interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

type Finished = EventData.TestPass | EventData.TestFail;

class FileResult implements Tally {
  readonly file: string;
  passed = 0;
  failed = 0;
  skipped = 0;
  readonly failures: Failure[] = [];
  /** Reason of a skip -> how many tests gave it. */
  readonly skips = new Map<string, number>();
  /** What the file printed; shown when it fails. */
  output = "";

  constructor(file: string) {
    this.file = file;
  }
}

const results = new Map<string, FileResult>();

/** The result of the file that was run; its tests may stand in a file that it imports. */
function resultOf(data: { readonly file?: string; readonly entryFile?: string }): FileResult {
  const path = relative(ROOT, data.entryFile ?? data.file ?? "");
  let result = results.get(path);
  if (result === undefined) results.set(path, (result = new FileResult(path)));
  return result;
}

/** `src` holds the unit tests; below `test` the first word of the path names the suite. */
function suiteOf(path: string): string {
  const [top, second = ""] = path.split(sep);
  return top === "test" ? second.replace(/\.test\.ts$/, "") : "unit";
}

function testFiles(below: readonly string[]): string[] {
  const files = globSync(["src/**/*.test.ts", "test/**/*.test.ts"], { cwd: ROOT }).sort();
  const wanted = below.map((path) => relative(ROOT, path));
  const isWanted = (file: string) =>
    wanted.length === 0 ||
    wanted.some((path) => path === "" || file === path || file.startsWith(path + sep));
  return files.filter(isWanted).map((file) => join(ROOT, file));
}

function onPass(data: EventData.TestPass): void {
  const result = resultOf(data);
  if (isWholeFile(data)) return onFailure(result, data, NO_TESTS);
  if (data.skip !== undefined || data.todo !== undefined) return onSkip(result, data);
  if (data.details.type !== "suite") result.passed++;
}

function onFail(data: EventData.TestFail): void {
  const result = resultOf(data);
  if (data.todo !== undefined) return onSkip(result, data);
  const { error } = data.details;
  const { failureType } = error as { failureType?: string };
  // The failed subtests have been reported one by one.
  if (failureType === "subtestsFailed") return;
  const unended = "the file did not end: a test left a timer, socket or process open";
  const crashed = failureType === "testAborted" ? unended : "the file ended early";
  onFailure(result, data, isWholeFile(data) ? crashed : reasonOf(error));
}

function onSkip(result: FileResult, data: Finished): void {
  const reason = data.skip ?? data.todo;
  if (typeof reason !== "string") return onFailure(result, data, "skipped without a reason");
  result.skipped++;
  result.skips.set(reason, (result.skips.get(reason) ?? 0) + 1);
}

function onFailure(result: FileResult, data: Finished, reason: string): void {
  const { classname } = data as { classname?: string };
  const file = relative(ROOT, data.file ?? result.file);
  const name = isWholeFile(data) ? file : data.name;
  const title = classname === undefined ? name : `${classname} > ${name}`;
  result.failed++;
  result.failures.push({ title, place: `${file}:${data.line ?? 1}`, reason });
  if (isWholeFile(data)) printFile(result);
}

/** The runner reports a file without tests, or one that crashed, as a test with the file's name. */
function isWholeFile(data: Finished): boolean {
  return data.nesting === 0 && data.name === data.file;
}

/** The error as thrown, without the runner's own frames. */
function reasonOf(error: Error): string {
  const thrown = error.cause ?? error;
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return text
    .split("\n")
    .filter((line) => !/^\s+at .*(\bnode:|<anonymous>\)$)/.test(line))
    .join("\n")
    .replaceAll(`file://${ROOT}${sep}`, "");
}

function onFileEnd(result: FileResult): void {
  if (result.passed + result.failed + result.skipped === 0) {
    result.failed++;
    result.failures.push({ title: result.file, place: result.file, reason: NO_TESTS });
  }
  printFile(result);
}

function printFile(result: FileResult): void {
  const mark = result.failed > 0 ? "FAIL" : "ok";
  console.log(`${mark.padEnd(5)}${result.file.padEnd(48)} ${renderTally(result)}`);
}

function printFailures({ failures, output }: FileResult): void {
  for (const { title, place, reason } of failures) {
    console.log(`\nFAIL ${title}\n     ${place}\n${indent(reason)}`);
  }
  if (failures.length > 0 && output !== "") {
    console.log(`\n     the file printed:\n${indent(output.trimEnd())}`);
  }
}

function printSuite(suite: string): void {
  const files = [...results.values()].filter(({ file }) => suiteOf(file) === suite);
  const text = files.length === 0 ? "not run: no test files" : renderTally(sum(files));
  console.log(`${suite.padEnd(12)}${text.padEnd(36)} ${SUITES[suite] ?? ""}`.trimEnd());
  for (const { file, skips } of files) {
    for (const [reason, count] of skips) console.log(`  skipped ${count}: ${reason} (${file})`);
  }
}

function sum(tallies: Iterable<Tally>): Tally {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of tallies) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  return total;
}

function renderTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "     ");
}

async function main(paths: readonly string[]): Promise<number> {
  const files = testFiles(paths);
  const cores = availableParallelism();
  console.log(`Running ${files.length} test files, ${cores} at a time.\n`);
  const events = run({
    files,
    isolation: "process",
    concurrency: cores,
    execArgv: ["--disable-warning=ExperimentalWarning"],
    timeout: TEST_TIMEOUT_MS,
    // A test that timed out may leave its process hanging; then this ends the run.
    signal: AbortSignal.timeout(RUN_TIMEOUT_MS),
  });
  for await (const event of events) {
    if (event.type === "test:pass") onPass(event.data);
    else if (event.type === "test:fail") onFail(event.data);
    else if (event.type === "test:stdout" || event.type === "test:stderr") {
      resultOf(event.data).output += event.data.message;
    } else if (event.type === "test:summary" && event.data.file !== undefined) {
      onFileEnd(resultOf(event.data));
    }
  }
  for (const result of results.values()) printFailures(result);
  console.log("");
  const found = [...results.values()].map(({ file }) => suiteOf(file));
  for (const suite of new Set([...Object.keys(SUITES), ...found])) printSuite(suite);
  const total = sum(results.values());
  console.log(`\n${renderTally(total)}`);
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
