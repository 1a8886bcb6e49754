// A model and an engine under watch: after every turn the engine must say what the naive reference
// says, its differences must lead from the old rows to the new ones, and the work that it did must
// be proportional to what changed. Stories and random histories run in it.

import assert from "node:assert/strict";
import { Cluster } from "../../src/model/cluster.ts";
import type { ClusterPrefixes } from "../../src/model/cluster-prefixes.ts";
import type { ModelDelta, ModelView } from "../../src/model/delta.ts";
import type { ObjectChange } from "../../src/model/objects.ts";
import type { Step } from "../../src/engine/engine.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import type { Reference } from "../../src/engine/reference.ts";
import { reference } from "../../src/engine/reference.ts";
import { buildPlan } from "../../src/engine/build-plan.ts";
import type { Assignment, Plan } from "../../src/plan/plan.ts";
import type { Row, RowChange, RowKey } from "../../src/plan/row.ts";
import { checkInside } from "./inside.ts";
import { joinNaively, Objects } from "./join.ts";
import { renderAssignment, renderInside, renderRow, renderRowChanges } from "./render.ts";
import { engineAnswers, referenceAnswers } from "./answers.ts";
import { checkDelta, checkWork } from "./work.ts";

/** More than any story needs. */
const MAP_SIZE = 16_384;

/** By `rowKey`. */
export type Rows = ReadonlyMap<string, Row>;

export function rowKey({ source, destination }: RowKey): string {
  return source + destination;
}

/** A model at one moment, and what follows from it. */
export interface Moment {
  readonly view: ModelView;
  readonly reference: Reference;
}

export class World {
  readonly #cluster = new Cluster();
  readonly #objects = new Objects();
  #options: EngineOptions;
  #engine: Engine;
  #pending: ObjectChange[] = [];
  #rows = new Map<string, Row>();
  #now: Moment;
  #counters: Step["counters"] = { endpoints: 0, moves: 0, rows: 0 };

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#engine = new Engine(options);
    this.#now = this.#look();
  }

  get now(): Moment {
    return this.#now;
  }

  get counters(): Step["counters"] {
    return this.#counters;
  }

  get nodeIP() {
    return this.#now.view.nodes.get(this.#options.scope?.node ?? "")?.internalIPv4;
  }

  /** To be taken by the next turn. */
  add(changes: Iterable<ObjectChange>): void {
    this.#pending.push(...changes);
  }

  /** Takes everything that was added; gives the row changes as lines. */
  turn(): string[] {
    const before = this.#now;
    for (const change of this.#pending) this.#objects.take(change);
    const delta = this.#cluster.apply(this.#pending);
    this.#pending = [];
    const { rows, counters } = this.#engine.step(delta);
    const changes = [...rows];
    this.#counters = { ...counters };
    this.#now = this.#look();
    const lines = renderRowChanges(changes, this.#rows);
    this.#applyRows(changes);
    this.#check();
    assert.deepEqual(this.#now.view, joinNaively(this.#objects), "the model as its objects say");
    checkDelta(delta, { before: before.view, after: this.#now.view });
    checkInside(this.#cluster, this.#now.view);
    checkWork(delta, this.#counters, { before, after: this.#now, changes: changes.length });
    return lines;
  }

  /** A new engine; gives the rows that differ from the old one's, of which there must be none. */
  restart(): string[] {
    return this.#renew(this.#options);
  }

  /** A new engine that is asked for something else. */
  setOptions(options: EngineOptions): void {
    this.#options = options;
    this.#renew(options);
  }

  rows(): readonly Row[] {
    return [...this.#engine.rows()];
  }

  assignments(): readonly Assignment[] {
    return [...this.#engine.assignments()];
  }

  /** What is inside the cluster, with nothing added. */
  prefixes(): ClusterPrefixes {
    return this.#cluster.prefixes({ extra: [] });
  }

  /** With capacity, conditions and issues. */
  plan(): Plan {
    const rows = this.#options.scope?.rows ?? "needed";
    const [cluster, engine] = [this.#cluster, this.#engine];
    return buildPlan({ cluster, engine, rows, mapSize: MAP_SIZE, issues: [] });
  }

  /** Everything that may be asked, as lines: for comparing two worlds. */
  state(): string[] {
    return [
      ...this.assignments().map(renderAssignment),
      ...this.rows().map(renderRow),
      ...renderInside(this.prefixes(), this.#now.view),
      ...this.plan().policies.map((policy) => JSON.stringify(policy)),
      ...this.plan().issues.map((issue) => JSON.stringify(issue)),
    ];
  }

  #renew(options: EngineOptions): string[] {
    const old = this.#rows;
    this.#engine = new Engine(options);
    this.#rows = new Map();
    const changes = [...this.#engine.step(wholeDelta(this.#cluster.view())).rows];
    this.#now = this.#look();
    this.#applyRows(changes);
    this.#check();
    return renderRowChanges(differences(old, this.#rows), old);
  }

  #look(): Moment {
    const view = this.#cluster.view();
    return { view, reference: reference(view, this.#options) };
  }

  /** Every change must be a real difference, and there is one for a row at most. */
  #applyRows(changes: readonly RowChange[]): void {
    const seen = new Set<string>();
    for (const { key, value } of changes) {
      const id = rowKey(key);
      assert(!seen.has(id), "a row changes twice in one step");
      seen.add(id);
      const next = value && { ...key, ...value };
      assert.notDeepEqual(next, this.#rows.get(id), "a change must change something");
      if (next === undefined) this.#rows.delete(id);
      else this.#rows.set(id, next);
    }
  }

  #check(): void {
    const { reference: expected } = this.#now;
    const rows = this.rows();
    assert.deepEqual(rows.map(renderRow), expected.rows.map(renderRow), "rows as the reference");
    assert.deepEqual(rows, expected.rows);
    assert.equal(this.#engine.rows().size, rows.length);
    const followed = [...this.#rows.values()].map(renderRow);
    assert.deepEqual(followed.sort(), rows.map(renderRow).sort(), "rows as the changes say");
    const answers = engineAnswers(this.assignments());
    const wanted = referenceAnswers(expected.assignments);
    assert.deepEqual(answers, wanted, "assignments as the reference");
    assert.equal(this.#engine.assignments().size, answers.length);
  }
}

function differences(before: Rows, after: Rows): RowChange[] {
  const changes: RowChange[] = [];
  for (const [id, row] of new Map([...before, ...after])) {
    const value = after.get(id);
    const old = before.get(id);
    const same = old !== undefined && value !== undefined && renderRow(old) === renderRow(value);
    if (!same) changes.push({ key: row, value });
  }
  return changes;
}

/** A model as the difference from an empty one. */
export function wholeDelta(view: ModelView): ModelDelta {
  const changes = <K, V>(table: ReadonlyMap<K, V>) =>
    [...table].map(([key, value]) => ({ key, value }));
  return {
    policies: changes(view.policies),
    endpoints: changes(view.endpoints),
    nodes: changes(view.nodes),
    states: changes(view.states),
  };
}
