// What each command says about the example cluster and about input that is wrong.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { load } from "js-yaml";
import { EXAMPLE, ROOT, sluice, temporaryFolder } from "../support/run-cli.ts";
import { assertValid } from "../support/schema.ts";

const OLD = ["--from", "examples/cluster", "--from", "examples/policy.yaml"];
const NEW = ["--to", "examples/cluster", "--to", "examples/grown"];
const SAME = ["--to", "examples/cluster", "--to", "examples/policy.yaml"];

const BROKEN = `apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: broken}
spec:
  selectors: [{podSelector: {}}]
  destinationCIDRs: [203.0.113.0]
  egressGateway: {nodeSelector: {}}
`;
const WARNED = `apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: warned}
spec:
  selectors: [{podSelector: {}}]
  destinationCIDRs: [198.51.100.0/24]
  egressGateway: {nodeSelector: {matchLabels: {no: node}}}
`;

describe("sluice plan", () => {
  test("spreads the example's dozen pods over its three gateways [5.1]", () => {
    const { exit, stdout, stderr } = sluice(["plan", ...EXAMPLE]);
    assert.deepEqual([exit, stderr], [0, ""]);
    assert.match(stdout, /^partner {2}round-robin · 12 endpoints → 3 gateways\n/);
    for (const node of ["gateway-1", "gateway-2", "gateway-3"]) {
      assert.match(stdout, new RegExp(`${node} .* +4 +33% +██████▋\n`));
    }
  });

  test("writes documents that the schema accepts, the same in JSON and YAML", () => {
    for (const more of [[], ["--node", "gateway-1"], ["--node", "worker-1", "--rows", "all"]]) {
      const json = sluice(["plan", ...EXAMPLE, ...more, "-o", "json"]);
      assert.deepEqual([json.exit, json.stderr], [0, ""]);
      const document = JSON.parse(json.stdout);
      assertValid("plan", document);
      const yaml = sluice(["plan", ...EXAMPLE, ...more, "-o", "yaml"]);
      assert.deepEqual(load(yaml.stdout), document);
      assert.equal("rows" in document, more.length > 0);
    }
  });

  test("takes settings from options and from the environment", () => {
    const env = { SLUICE_DISTRIBUTION: "rendezvous", SLUICE_MAP_SIZE: "77", SLUICE_ROWS: "all" };
    const { stdout } = sluice(["plan", ...EXAMPLE, "-o", "json", "--map-size", "99"], { env });
    const { policies, capacity } = JSON.parse(stdout);
    assert.equal(policies[0].distribution, "rendezvous");
    assert.deepEqual([capacity.mapSize, capacity.rows], [99, "all"]);
  });

  test("reads what is piped in, and counts objects of other kinds on standard error", () => {
    const service = "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: s, namespace: n}\n";
    const stdin = readFileSync(join(ROOT, "examples/policy.yaml"), "utf8") + service;
    const words = ["plan", "-f", "-", "-f", "examples/cluster"];
    const { exit, stdout, stderr } = sluice(words, { stdin });
    assert.equal(exit, 0);
    assert.match(stdout, /12 endpoints/);
    assert.equal(stderr, "skipped 1 object of other kinds: Endpoints 1\n");
  });

  test("refuses a node that nothing names, with the one that was meant [6.8]", () => {
    const slip = sluice(["plan", ...EXAMPLE, "--node", "gatewy-1"]);
    assert.deepEqual([slip.exit, slip.stdout], [2, ""]);
    assert.match(slip.stderr, /no node 'gatewy-1' among \d+ nodes.*\nDid you mean gateway-1[,?]/);
    const other = sluice(["plan", ...EXAMPLE, "--node", "elsewhere"]);
    assert.match(other.stderr, /\nKnown are gateway-1, gateway-2, /);
    // Pods may name a node without an object, and without nodes every name is as good.
    const pod = JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a" },
      spec: { nodeName: "bare" },
      status: { podIP: "10.9.9.9" },
    });
    const bare = sluice(["plan", "-f", "-", ...EXAMPLE, "--node", "bare"], { stdin: pod });
    assert.deepEqual([bare.exit, bare.stderr], [0, ""]);
    assert.equal(sluice(["plan", "-f", "examples/policy.yaml", "--node", "any"]).exit, 0);
  });

  test("says which directories of a directory it did not read", () => {
    const { stderr } = sluice(["plan", "-f", "examples", "-f", "examples/cluster"]);
    const told = "skipped 2 subdirectories of examples: grown, split; name those that count too\n";
    assert.equal(stderr, told);
  });

  test("plans what is right beside a refused policy, and exits with 1 [2.1]", () => {
    const { exit, stdout, stderr } = sluice(["plan", "-f", "-", ...EXAMPLE, "-o", "json"], {
      stdin: BROKEN,
    });
    assert.equal(exit, 1);
    const { policies, issues } = JSON.parse(stdout);
    assert.deepEqual(policies.map((one: { name: string }) => one.name), ["partner"]);
    assert.equal(issues[0].path, "spec.destinationCIDRs[0]");
    assert.match(stderr, /^sluice: 1 error in the input\n$/);
  });

  test("allows warnings unless it is strict [2.4]", () => {
    assert.equal(sluice(["plan", "-f", "-"], { stdin: WARNED }).exit, 0);
    const strict = sluice(["plan", "-f", "-", "--strict"], { stdin: WARNED });
    assert.equal(strict.exit, 1);
    assert.match(strict.stdout, /warning NoGateway/);
  });
});

describe("sluice validate", () => {
  test("is quiet about good input and shows issues with their remedy", () => {
    const good = sluice(["validate", ...EXAMPLE]);
    assert.deepEqual(good, { exit: 0, stdout: "no issues\n", stderr: "" });
    const { exit, stdout } = sluice(["validate", "-f", "-"], { stdin: BROKEN });
    assert.equal(exit, 1);
    assert.match(stdout, /^CiliumEgressGatewayPolicy\/broken\n {2}error InvalidPrefix {2}spec/);
    assert.match(stdout, / {4}→ Write address and mask/);
  });

  test("refuses a label that is a boolean to kubectl, and says to quote it [2.1]", () => {
    const label = BROKEN.replace("podSelector: {}", "podSelector: {matchLabels: {enabled: yes}}");
    const { exit, stdout } = sluice(["validate", "-f", "-"], { stdin: label });
    assert.equal(exit, 1);
    assert.match(stdout, /matchLabels\.enabled\n {4}must be text, .*; quote the word, as in "yes"/);
  });

  test("warns of a policy that selects none of the input's pods [2.4]", () => {
    const idle = BROKEN.replace("203.0.113.0]", "203.0.113.0/24]").replace(
      "podSelector: {}",
      "podSelector: {matchLabels: {app: chekout}}",
    );
    const pods = ["validate", "-f", "-", "-f", "examples/cluster", "--strict"];
    const { exit, stdout } = sluice(pods, { stdin: idle });
    assert.equal(exit, 1);
    assert.match(stdout, /broken\n {2}warning NoEndpoints {2}spec\.selectors\n {4}none of 13 /);
    // Without a pod in the input nothing is known of any.
    const policy = ["-f", "-", "-f", "examples/cluster/nodes.yaml", "--strict"];
    const alone = sluice(["validate", ...policy], { stdin: idle });
    assert.deepEqual([alone.exit, alone.stdout], [0, "no issues\n"]);
  });

  test("fails for a policy that nobody reads, and says what to write [2.4]", () => {
    const version = BROKEN.replace("cilium.io/v2", "cilium.io/v2alpha1");
    const refused = sluice(["validate", "-f", "-"], { stdin: version });
    assert.equal(refused.exit, 1);
    const at = /^CiliumEgressGatewayPolicy\/broken\n {2}error UnknownVersion {2}apiVersion\n/;
    assert.match(refused.stdout, at);
    assert.match(refused.stdout, /"cilium\.io\/v2alpha1" is not read; write cilium\.io\/v2\n/);
    const kind = BROKEN.replace("GatewayPolicy", "GatewayPolicies");
    const misspelt = sluice(["validate", "-f", "-"], { stdin: kind });
    assert.equal(misspelt.exit, 1);
    assert.match(misspelt.stdout, /^standard input:1\n {2}error UnknownKind {2}kind\n/);
    assert.match(misspelt.stdout, /; write CiliumEgressGatewayPolicy\n/);
  });

  test("does not ask to label a node where there is none [4.1]", () => {
    const bare = sluice(["validate", "-f", "-"], { stdin: WARNED });
    assert.match(bare.stdout, /no node with an internal IPv4 address is known\n/);
    assert.match(bare.stdout, /traffic is dropped; no node is known\n/);
    const any = WARNED.replace("matchLabels: {no: node}", "");
    const node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\n";
    const { stdout } = sluice(["validate", "-f", "-"], { stdin: any + node });
    assert.match(stdout, /no node with an internal IPv4 address is known\n/);
  });

  test("writes a document that the schema accepts, and is as strict as plan", () => {
    const { exit, stdout } = sluice(["validate", "-f", "-", "-o", "json"], { stdin: WARNED });
    assert.equal(exit, 0);
    assertValid("validation", JSON.parse(stdout));
    assert.equal(sluice(["validate", "-f", "-", "--strict"], { stdin: WARNED }).exit, 1);
  });
});

describe("sluice diff", () => {
  test("exits with 0 without and with 1 with a difference", () => {
    const same = sluice(["diff", ...OLD, ...SAME]);
    assert.deepEqual(same, { exit: 0, stdout: "No difference.\n", stderr: "" });
    const grown = sluice(["diff", ...OLD, ...NEW]);
    assert.deepEqual([grown.exit, grown.stderr], [1, ""]);
    assert.match(grown.stdout, /\n7 endpoints move, 1 starts, 0 stop\.\n$/);
  });

  test("shows that rendezvous moves only what the new gateway takes [5.3]", () => {
    const env = { SLUICE_DISTRIBUTION: "rendezvous" };
    const { stdout } = sluice(["diff", ...OLD, ...NEW, "-o", "json"], { env });
    const diff = JSON.parse(stdout);
    assertValid("diff", diff);
    const moves: { after: { node: string } }[] = diff.policies[0].moves;
    const targets = moves.map(({ after }) => after.node);
    assert.ok(targets.length > 0 && targets.length < 7);
    assert.deepEqual([...new Set(targets)], ["gateway-4"]);
  });

  test("says so when one side has no pods or nodes and the other has", () => {
    const gone = sluice(["diff", ...OLD, "--to", "examples/policy.yaml"]);
    assert.equal(gone.exit, 1);
    assert.match(gone.stderr, /^sluice diff: --to has no pods and no nodes, so everybody stops/);
    assert.match(gone.stderr, /: name the cluster's files with --to too\n$/);
    const nodes = ["--to", "examples/policy.yaml", "--to", "examples/cluster/nodes.yaml"];
    assert.match(sluice(["diff", ...OLD, ...nodes]).stderr, /--to has no pods, so everybody stops/);
    const bare = sluice(["diff", "--from", "examples/policy.yaml", ...SAME]);
    assert.match(bare.stderr, /--from has no pods and no nodes, so everybody starts;/);
  });

  test("exits with 2 for errors in the objects, and says which side they are on", () => {
    const { exit, stderr } = sluice(["diff", ...OLD, ...SAME, "--to", "-"], { stdin: BROKEN });
    assert.equal(exit, 2);
    assert.match(stderr, /errors in the input of --to\nCiliumEgressGatewayPolicy\/broken\n/);
  });

  test("refuses standard input on both sides", () => {
    const { exit, stderr } = sluice(["diff", "--from", "-", "--to", "-"]);
    assert.equal(exit, 2);
    assert.match(stderr, /standard input \(-\) can be --from or --to, not both/);
  });
});

describe("sluice explain", () => {
  test("answers for an address, for an exclusion and for a pod that is not selected", () => {
    const answer = (...words: string[]) => sluice(["explain", ...EXAMPLE, ...words]).stdout;
    assert.match(answer("checkout-0", "203.0.113.10"), /leaves with\s192\.0\.2\.13/);
    assert.match(answer("10.1.1.20", "203.0.113.53"), /ordinary\spath/);
    assert.match(answer("monitoring/prometheus-0", "203.0.113.10"), /no\spolicy\sselects/);
  });

  test("writes a document that the schema accepts", () => {
    const { exit, stdout } = sluice(["explain", ...EXAMPLE, "cart-0", "-o", "json"]);
    assert.equal(exit, 0);
    assertValid("explanation", JSON.parse(stdout));
  });

  test("exits with 2 for a pod or a destination that it does not know", () => {
    const unknown = sluice(["explain", ...EXAMPLE, "crat-0"]);
    assert.equal(unknown.exit, 2);
    assert.match(unknown.stderr, /no endpoint 'crat-0'.*\nDid you mean one of .*\n {2}shop\/cart/);
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "cart-0", namespace: "new" } };
    const words = ["explain", ...EXAMPLE, "-f", "-", "new/cart-0"];
    const bare = sluice(words, { stdin: JSON.stringify(pod) });
    assert.match(bare.stderr, /pod new\/cart-0 is no endpoint, .*: it has no address/);
    const prefix = sluice(["explain", ...EXAMPLE, "cart-0", "203.0.113.0/24"]);
    assert.equal(prefix.exit, 2);
    assert.match(prefix.stderr, /is not an IP address/);
  });
});

describe("input that cannot be read", () => {
  test("exits with 2 and names the file", (t) => {
    const folder = temporaryFolder(t);
    const bad = join(folder, "bad.yaml");
    writeFileSync(bad, "a: [1,\nb: }");
    for (const command of ["plan", "validate"]) {
      const missing = sluice([command, "-f", join(folder, "none.yaml")]);
      assert.deepEqual([missing.exit, missing.stdout], [2, ""]);
      assert.match(missing.stderr, /none\.yaml/);
      const broken = sluice([command, "-f", bad]);
      assert.deepEqual([broken.exit, broken.stdout], [2, ""]);
      assert.match(broken.stderr, /bad\.yaml/);
    }
  });
});
