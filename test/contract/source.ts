// What every source of objects promises, whether it reads files or the Kubernetes API: one suite of
// tests, run on each of them. Its world is small: Nodes whose label `v` tells their version, and
// policies, which can be refused.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Issue } from "../../src/model/issue.ts";
import { labelValue } from "../../src/model/labels.ts";
import type { Node } from "../../src/model/node.ts";
import type { ObjectChange } from "../../src/model/objects.ts";
import { until } from "../support/until.ts";

export interface Source {
  readonly synced: Promise<void>;
  close(): Promise<void>;
}

export interface Listener {
  onChanges(changes: readonly ObjectChange[]): void;
  onIssues(issues: readonly Issue[]): void;
}

export type Manifest = Readonly<Record<string, unknown>> & {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
};

/** Where the objects of a source are. */
export interface World {
  put(object: Manifest): Promise<void>;
  remove(object: Manifest): Promise<void>;
  watch(listener: Listener): Source;
  /** From now on it cannot be read; its objects are still there. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

/** Nothing happens within this time where something would happen at once. */
const QUIET_MS = 500;

/** A Node whose label `v` is its version. */
export function nodeOf(name: string, v: string, annotations: object = {}): Manifest {
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels: { v }, annotations } };
}

function policyOf(name: string, destination: string): Manifest {
  const kind = "CiliumEgressGatewayPolicy";
  const selectors = [{ podSelector: {} }];
  const egressGateway = { nodeSelector: { matchLabels: { egress: "yes" } } };
  const spec = { selectors, destinationCIDRs: [destination], egressGateway };
  return { apiVersion: "cilium.io/v2", kind, metadata: { name }, spec };
}

class Watching implements Listener {
  readonly log: string[] = [];
  issues: readonly Issue[] = [];
  isSynced = false;
  readonly source: Source;
  #taken = 0;

  constructor(world: World) {
    this.source = world.watch(this);
    void this.source.synced.then(() => (this.isSynced = true));
  }

  onChanges(changes: readonly ObjectChange[]): void {
    for (const change of changes) this.log.push(lineOf(change));
  }

  onIssues(issues: readonly Issue[]): void {
    this.issues = issues;
  }

  /** Waits for these lines after those taken before, in any order, and no others. */
  async next(...lines: string[]): Promise<void> {
    const rest = () => this.log.slice(this.#taken);
    await until(() => rest().length >= lines.length, { shown: () => rest().join("; ") });
    assert.deepEqual(rest().sort(), lines.sort());
    this.#taken = this.log.length;
  }

  /** Nothing more is told. */
  async quiet(): Promise<void> {
    await sleep(QUIET_MS);
    await this.next();
  }
}

function lineOf({ kind, key, value, refused }: ObjectChange): string {
  if (refused) return `!${key}`;
  if (value === undefined) return `-${key}`;
  return kind === "Node" ? `+${key} ${labelValue((value as Node).labels, "v") ?? ""}` : `+${key}`;
}

/** Runs the suite on a world; each test finds it empty, and leaves it so. */
export async function proveSource(t: TestContext, world: World): Promise<void> {
  const proves = (title: string, act: (start: () => Watching) => Promise<void>) => {
    return t.test(title, async () => {
      const started: Watching[] = [];
      const start = () => {
        const watching = new Watching(world);
        started.push(watching);
        return watching;
      };
      try {
        await act(start);
      } finally {
        for (const { source } of started) await source.close();
      }
    });
  };
  for (const { title, act } of PROMISES) await proves(title, (start) => act(world, start));
}

interface Promised {
  readonly title: string;
  readonly act: (world: World, start: () => Watching) => Promise<void>;
}

const [A, B, C] = [nodeOf("a", "1"), nodeOf("b", "1"), nodeOf("c", "1")] as const;

const PROMISES: readonly Promised[] = [
  {
    title: "it gives what is there before it is synced, then differences only",
    async act(world, start) {
      await world.put(A);
      await world.put(B);
      const watching = start();
      await watching.source.synced;
      await watching.next("+a 1", "+b 1");
      await world.put(C);
      await watching.next("+c 1");
      await world.put(nodeOf("b", "2"));
      await watching.next("+b 2");
      for (const one of [A, B, C]) await world.remove(one);
      await watching.next("-a", "-b", "-c");
      assert.deepEqual(watching.issues, []);
    },
  },
  {
    title: "what plays no part is no difference [5.8]",
    async act(world, start) {
      await world.put(A);
      const watching = start();
      await watching.next("+a 1");
      await world.put(nodeOf("a", "1", { heartbeat: "2" }));
      await watching.quiet();
      // The control: a difference would have been told by now.
      await world.put(nodeOf("a", "2", { heartbeat: "3" }));
      await watching.next("+a 2");
      await world.remove(A);
      await watching.next("-a");
    },
  },
  {
    title: "a refused object is told as refused, and then as accepted again [2.3]",
    async act(world, start) {
      const watching = start();
      await world.put(policyOf("p", "192.0.2.0/24"));
      await watching.next("+p");
      await world.put(policyOf("p", "192.0.2.0"));
      await watching.next("!p");
      await world.put(policyOf("p", "192.0.2.0/25"));
      await watching.next("+p");
      await world.remove(policyOf("p", ""));
      await watching.next("-p");
    },
  },
  {
    title: "nothing is gone because it cannot be read, and later come differences only [2.3]",
    async act(world, start) {
      await world.put(A);
      await world.put(B);
      const watching = start();
      await watching.next("+a 1", "+b 1");
      await world.goAway();
      await until(() => watching.issues.length > 0);
      await watching.quiet();
      await world.comeBack();
      await until(() => watching.issues.length === 0);
      await watching.quiet();
      await world.remove(B);
      await world.put(nodeOf("a", "2"));
      await watching.next("-b", "+a 2");
      await world.remove(A);
      await watching.next("-a");
    },
  },
  {
    title: "it is not synced before it could be read, and says why [7.8]",
    async act(world, start) {
      await world.put(A);
      await world.goAway();
      const watching = start();
      await until(() => watching.issues.length > 0);
      assert.equal(watching.issues[0]?.severity, "error");
      assert.equal(watching.isSynced, false);
      await watching.quiet();
      await world.comeBack();
      await watching.source.synced;
      await watching.next("+a 1");
      await world.remove(A);
      await watching.next("-a");
    },
  },
  {
    title: "a restart gives the same as having watched all the time",
    async act(world, start) {
      await world.put(A);
      await world.put(B);
      const first = start();
      await first.next("+a 1", "+b 1");
      await world.put(nodeOf("a", "2"));
      await world.remove(B);
      await world.put(C);
      await first.next("+a 2", "-b", "+c 1");
      const second = start();
      await second.source.synced;
      await second.next("+a 2", "+c 1");
      for (const one of [A, C]) await world.remove(one);
      for (const each of [first, second]) await each.next("-a", "-c");
    },
  },
  {
    title: "nothing is told after it was closed",
    async act(world, start) {
      await world.put(A);
      const [closed, control] = [start(), start()];
      for (const each of [closed, control]) await each.next("+a 1");
      await closed.source.close();
      await world.remove(A);
      await control.next("-a");
      await closed.quiet();
    },
  },
];
