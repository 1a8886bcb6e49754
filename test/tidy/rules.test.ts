// Proves that each house rule can fail: an example that breaks it, and one that keeps it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { layering, LAYERS, offline } from "./layers.ts";
import type { RuleFor } from "./rules.ts";
import { comments, leftovers, lengths, names, purity, renderFinding, waiting } from "./rules.ts";
import { makeSource } from "./source.ts";

/** What `rule` says about a file, as one text for each finding. */
function findings(rule: RuleFor, path: string, text: string): string[] {
  return rule(makeSource(path, text)).map(renderFinding);
}

function breaks(rule: RuleFor, path: string, text: string, expected: RegExp): void {
  const found = findings(rule, path, text);
  assert.equal(found.length, 1, `${path}: ${found.join("\n") || "nothing found"}`);
  assert.match(found[0] as string, expected);
}

function keeps(rule: RuleFor, path: string, text: string): void {
  assert.deepEqual(findings(rule, path, text), []);
}

describe("names", () => {
  test("refuses files and folders that say nothing", () => {
    for (const path of ["src/net/utils.ts", "src/common/a.ts", "src/net/ip-helpers.test.ts"]) {
      breaks(names, path, "", /: names, \w/);
    }
    breaks(names, "test/PodManager.ts", "", /PodManager/);
    keeps(names, "src/model/service-cidr.ts", "");
  });
});

describe("lengths", () => {
  test("refuses long files", () => {
    breaks(lengths, "src/net/a.ts", "// a\n".repeat(301), /:301: lengths, 301 lines in a file/);
    keeps(lengths, "src/net/a.ts", "// a\n".repeat(300));
  });

  test("refuses long functions and says where they begin", () => {
    const long = (lines: number) => `\nfunction f(): void {\n${"  g();\n".repeat(lines - 2)}}\n`;
    breaks(lengths, "src/net/a.ts", long(71), /a\.ts:2: lengths, 71 lines in f;/);
    keeps(lengths, "src/net/a.ts", long(70));
  });

  test("measures each test in a group and not the group", () => {
    const tests = 'test("b", () => {\n  c();\n});\n'.repeat(30);
    keeps(lengths, "src/net/a.test.ts", `describe("a", () => {\n${tests}});\n`);
    const long = `test("b", () => {\n${"  c();\n".repeat(70)}});\n`;
    breaks(lengths, "src/net/a.test.ts", `describe("a", () => {\n${long}});\n`, /arrow function/);
  });

  test("counts columns, not code units", () => {
    breaks(lengths, "demo/a.sh", `# ${"a".repeat(99)}`, /101 columns/);
    keeps(lengths, "demo/a.sh", `# ${"🙂".repeat(98)}`);
  });
});

describe("comments", () => {
  test("wants a header", () => {
    breaks(comments, "src/net/a.ts", "const a = 1;\n", /no header comment/);
    breaks(comments, "demo/a.sh", "#!/bin/sh\nset -e\n", /no header comment/);
    breaks(comments, "test/a.test.ts", "const a = 1;\n", /no header comment/);
    keeps(comments, "src/net/a.test.ts", "const a = 1;\n");
    keeps(comments, "demo/a.sh", "#!/bin/sh\n# Shows a.\nset -e\n");
  });

  test("wants docstrings on exported functions, classes and types", () => {
    const body = "  readonly b: 1;\n".repeat(6);
    const bare = `// A.\nexport const z = 1;\nexport interface A {\n${body}}\n`;
    breaks(comments, "src/net/a.ts", bare, /:3: comments, no docstring on interface A/);
    keeps(comments, "src/net/a.ts", bare.replace("export interface", "/** B. */\n$&"));
    const f = `export function f() {\n${"  g();\n".repeat(6)}}\n`;
    breaks(comments, "src/net/a.ts", `// A.\n${f}export class A {\n}\n`, /on function f/);
    const a = `export class A {\n${body}}\n`;
    breaks(comments, "src/net/a.ts", `// A.\n/** F. */\n${f}${a}`, /on class A/);
    keeps(comments, "src/net/a.ts", `// The header speaks for the only function.\n${f}`);
    keeps(comments, "test/a.ts", `// A.\n${f}`);
  });
});

describe("purity", () => {
  test("keeps clock, chance and the world out of the middle", () => {
    const impure = ["Date.now()", "new Date()", "Math.random()", "performance.now()"];
    const effects = ["console.log(a)", "process.exit()", "setTimeout(f)", "fetch(a)"];
    for (const code of [...impure, ...effects, "new Promise(f)", "crypto.randomUUID()"]) {
      for (const folder of ["net", "model", "plan", "engine", "reconcile"]) {
        breaks(purity, `src/${folder}/a.ts`, code, /: purity, /);
      }
      keeps(purity, "src/cli/a.ts", code);
      keeps(purity, "src/net/a.test.ts", code);
    }
  });

  test("reads code, not words", () => {
    keeps(purity, "src/net/a.ts", 'const a = "Date.now()"; // Math.random()\nDate.parse(a);');
    keeps(purity, "src/net/a.ts", "new Date(a); this.#process(a); a.console; b = { process: 1 };");
  });
});

describe("waiting", () => {
  test("is left to the edges", () => {
    breaks(waiting, "src/engine/a.ts", "await a;", /await outside/);
    breaks(waiting, "src/lib/a.ts", "async () => a;", /async outside/);
    for (const folder of ["drivers/kube", "sources", "sinks", "status", "apps/lab", "cli"]) {
      keeps(waiting, `src/${folder}/a.ts`, "await a;");
    }
  });
});

describe("leftovers", () => {
  test("refuses what is unfinished and what names one machine", () => {
    breaks(leftovers, "README.md", "a TO" + "DO", /unfinished/);
    breaks(leftovers, "README.md", "FIX" + "ME: b", /unfinished/);
    breaks(leftovers, "README.md", "cd /ho" + "me/ada", /somebody's machine/);
    breaks(leftovers, "a.json", "https://regis" + "try.example.org/a", /download address/);
    keeps(leftovers, "README.md", "A registry keeps images; /etc/hosts; /var/run.");
  });
});

describe("layers", () => {
  const imports = (path: string, specifier: string, words = "{ a }") =>
    findings(layering, path, `import ${words} from "${specifier}";`);

  test("point down", () => {
    const cases = [
      ["src/net/a.ts", "../model/b.ts"],
      ["src/engine/a.ts", "../drivers/kernel/b.ts"],
      ["src/sources/a.ts", "../sinks/b.ts"],
      ["src/sinks/a.ts", "../status/b.ts"],
      ["src/status/a.ts", "../engine/b.ts"],
      ["src/apps/agent/a.ts", "../lab/b.ts"],
      ["src/model/a.ts", "../../test/support/b.ts"],
      ["src/lib/a.ts", "../net/b.ts"],
      ["src/drivers/kube/a.ts", "../kernel/b.ts"],
    ] as const;
    for (const [path, specifier] of cases) {
      assert.equal(imports(path, specifier).length, 1, `${path} -> ${specifier}`);
      assert.equal(imports(path, specifier, "type { A }").length, 1, "types count as well");
    }
  });

  test("let everybody use what is below", () => {
    const cases = [
      ["src/net/a.ts", "../lib/b.ts"],
      ["src/engine/a.ts", "../plan/b.ts"],
      ["src/sources/a.ts", "../drivers/kube/b.ts"],
      ["src/apps/agent/a.ts", "../../engine/b.ts"],
      ["src/cli/a.ts", "../apps/lab/b.ts"],
      ["src/cli/completion/a.ts", "../b.ts"],
      ["src/model/a.test.ts", "../../test/support/b.ts"],
      ["src/model/a.test.ts", "node:test"],
      ["src/sources/a.ts", "js-yaml"],
      ["src/lib/a.ts", "node:util"],
    ] as const;
    for (const [path, specifier] of cases) assert.deepEqual(imports(path, specifier), []);
  });

  test("keep modules of Node and packages where they belong", () => {
    assert.match(imports("src/engine/a.ts", "node:fs")[0] ?? "", /engine loads node:fs/);
    assert.match(imports("src/model/a.ts", "js-yaml")[0] ?? "", /model loads js-yaml/);
    assert.match(imports("src/sinks/a.ts", "koffi")[0] ?? "", /sinks loads koffi/);
    assert.match(imports("src/ui/a.ts", "../status/api.ts")[0] ?? "", /more than types/);
    assert.deepEqual(imports("src/ui/a.ts", "../status/api.ts", "type { A }"), []);
  });

  test("hold every file of src", () => {
    breaks(layering, "src/version.ts", "", /in no layer/);
    breaks(layering, "src/brain/a.ts", "", /in no layer/);
  });

  test("have no cycle", () => {
    const below = (folder: string, seen: readonly string[] = []): void => {
      assert.ok(!seen.includes(folder), [...seen, folder].join(" -> "));
      for (const next of LAYERS[folder] ?? []) below(next, [...seen, folder]);
    };
    for (const folder of Object.keys(LAYERS)) below(folder);
  });
});

describe("offline commands", () => {
  const sources = new Map(
    Object.entries({
      "src/cli/plan.ts": 'import "./a.ts"; import type { T } from "../drivers/kernel/t.ts";',
      "src/cli/a.ts": 'const b = () => import("../sources/b.ts");',
      "src/sources/b.ts": 'import "js-yaml"; import "node:fs";',
      "src/cli/agent.ts": 'import "./a.ts"; import "./c.ts";',
      "src/cli/c.ts": 'import "koffi";',
    }).map(([path, text]) => [path, makeSource(path, text)]),
  );

  test("load nothing native, and the chain is shown where one does", () => {
    assert.deepEqual(offline(sources, ["src/cli/plan.ts"]), []);
    const found = offline(sources, ["src/cli/agent.ts"]).map(renderFinding);
    assert.equal(found.length, 1);
    assert.match(found[0] as string, /koffi <- src\/cli\/c\.ts <- src\/cli\/agent\.ts/);
  });
});
