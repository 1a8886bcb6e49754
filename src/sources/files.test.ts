import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { dump } from "js-yaml";
import { validObject } from "../model/parse/valid-objects.test.ts";
import type { Input, Progress } from "./files.ts";
import { InputError, readInput } from "./files.ts";

let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-files-"));
});
after(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

function fromText(...texts: string[]): Promise<Input> {
  return readInput(["-"], { stdin: chunks(...texts) });
}

const pod = (name: string) => ({ apiVersion: "v1", kind: "Pod", metadata: { name } });
const keys = ({ changes }: Input) => changes.map(({ key }) => key);

describe("reading input", () => {
  test("takes files, standard input, and a directory's own files by name", async () => {
    const inner = join(folder, "dir");
    await mkdir(join(inner, "deeper.yaml"), { recursive: true });
    await file("dir/b.yml", dump(pod("b")));
    await file("dir/a.json", JSON.stringify(pod("a")));
    await file("dir/c.yaml", dump(pod("c")));
    await file("dir/notes.txt", "not: [yaml");
    await file("dir/deeper.yaml/d.yaml", dump(pod("d")));
    const single = await file("single", dump(pod("e")));
    const input = await readInput([single, "-", inner], { stdin: chunks(dump(pod("f"))) });
    assert.deepEqual(keys(input), ["e", "f", "a", "b", "c"].map((name) => `default/${name}`));
  });

  test("says which directories in a directory it did not go into", async () => {
    const outer = join(folder, "outer");
    for (const name of ["b", "a", ".git", "..data"]) {
      await mkdir(join(outer, name), { recursive: true });
    }
    await file("outer/pod.yaml", dump(pod("a")));
    await file("outer/a/pod.yaml", dump(pod("b")));
    await symlink(join(folder, "nowhere"), join(outer, "link"));
    const told = async (...paths: string[]) => [...(await readInput(paths)).passedOver];
    assert.deepEqual(await told(outer), [[outer, ["a", "b"]]]);
    assert.deepEqual(await told(outer, `${outer}/a/`), [[outer, ["b"]]]);
    await rm(join(outer, "pod.yaml"));
    const message = /outer: the directory has no .* file; name those in it: a, b$/;
    await assert.rejects(readInput([outer]), { message });
  });

  test("counts objects of other kinds, sorted by kind", async () => {
    const other = (kind: string) => ({ apiVersion: "apps/v1", kind });
    const all = [other("StatefulSet"), other("Deployment"), pod("a"), other("Deployment")];
    const { skipped } = await fromText(all.map((one) => `---\n${dump(one)}`).join(""));
    assert.deepEqual([...skipped], [["Deployment", 2], ["StatefulSet", 1]]);
  });

  test("says where something is that is no object", async () => {
    const path = await file("bad.yaml", `${dump(pod("a"))}---\n\nhello\n---\nkind: Pod\n`);
    const { issues, changes } = await readInput([path]);
    assert.equal(changes.length, 1);
    assert.deepEqual(issues.map(({ code, object, path: at }) => [code, object, at]), [
      ["NotAnObject", `${path}:7`, ""],
      ["NotAnObject", `${path}:9`, "apiVersion"],
    ]);
  });

  test("keeps one of several versions, with a warning, and one of equal ones without", async () => {
    const at = (resourceVersion: string, nodeName: string) =>
      dump({ ...pod("a"), metadata: { name: "a", resourceVersion }, spec: { nodeName } });
    const { changes, issues } = await fromText([at("2", "x"), at("10", "y")].join("---\n"));
    assert.equal(changes.length, 1);
    assert.deepEqual(issues.map(({ code, object }) => `${code} ${object}`), [
      "DuplicateObject Pod/default/a",
    ]);
    const path = await file("twice.yaml", at("1", "x"));
    assert.deepEqual((await readInput([path, path])).issues, []);
  });

  test("reads lists of lists, also one that is in itself", async () => {
    const list = (items: unknown[]) => ({ apiVersion: "v1", kind: "List", items });
    assert.deepEqual(keys(await fromText(JSON.stringify(list([list([pod("a")]), pod("b")])))), [
      "default/a",
      "default/b",
    ]);
    const head = "apiVersion: v1\nkind: List\nitems:";
    const cyclic = `${head} &a\n- {kind: List, apiVersion: v1, items: *a}\n`;
    const bomb =
      `${head}\n- &a ${JSON.stringify(list([pod("a")]))}\n` +
      "- &b {apiVersion: v1, kind: List, items: [*a, *a, *a]}\n- *b\n- *b\n";
    assert.deepEqual(keys(await fromText(cyclic)), []);
    assert.deepEqual(keys(await fromText(bomb)), ["default/a"]);
  });

  test("reports progress", async () => {
    const seen: Progress[] = [];
    const text = `${JSON.stringify(pod("a"))}\n`;
    await readInput(["-"], { stdin: chunks(text, text), onProgress: (one) => seen.push(one) });
    assert.deepEqual(seen, [
      { bytes: text.length, objects: 1 },
      { bytes: 2 * text.length, objects: 2 },
    ]);
  });

  test("refuses what cannot be read, naming the file and the remedy", async () => {
    const bad = await file("bad.json", '{"a": 1,\n "b" 2}');
    await mkdir(join(folder, "empty"));
    const cases: [string[], string | RegExp][] = [
      [[join(folder, "absent")], `${folder}/absent: no such file or directory; check the path`],
      [[join(folder, "empty")], /empty: the directory has no \*\.yaml, \*\.yml or \*\.json file/],
      [[bad], /bad\.json:2: not JSON: Expected ':' after property name; correct it/],
      [["-", "-"], "- is given twice; standard input can be read only once"],
    ];
    for (const [paths, message] of cases) {
      await assert.rejects(readInput(paths, { stdin: chunks() }), (error) => {
        assert.ok(error instanceof InputError);
        if (typeof message === "string") assert.equal(error.message, message);
        else assert.match(error.message, message);
        return true;
      });
    }
    await assert.rejects(fromText("a: b: c"), { message: /^standard input:1: not YAML/ });
  });

  test("gives the same changes for the same objects as JSON, YAML and lists of them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(validObject, { maxLength: 5 }), async (objects) => {
        const list = { apiVersion: "v1", items: objects, kind: "List" };
        const [first, ...rest] = await Promise.all([
          fromText(...objects.map((one) => JSON.stringify(one))),
          fromText(JSON.stringify(list)),
          fromText(...objects.map((one) => `---\n${dump(one)}`)),
          fromText(dump(list)),
        ]);
        for (const input of rest) assert.deepEqual(input, first);
      }),
    );
  });

  test("splits and prunes a long YAML list without changing what is read", async () => {
    const objects = fc.sample(validObject, 200);
    const containers = new Array<string>(2 ** 17).fill("x".repeat(16));
    const filler = { ...pod("filler"), spec: { containers } };
    const list = (items: unknown[]) => ({ apiVersion: "v1", items, kind: "List" });
    const long = await fromText(dump(list([filler, ...objects])));
    const short = await fromText(dump(list([pod("filler"), ...objects])));
    assert.deepEqual(long, short);
  });
});
