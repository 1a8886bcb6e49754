// Proves that an address's former owner is known, also to the next process.

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { present } from "../../lib/assert.ts";
import { endpointKey } from "../../model/endpoint.ts";
import type { Address } from "../../net/address.ts";
import { parseAddress } from "../../net/address.ts";
import type { Owner } from "./address-owners.ts";
import { AddressOwners } from "./address-owners.ts";

const ADDRESS = present(parseAddress("10.0.0.1"), "address");
const OTHER = present(parseAddress("10.0.0.2"), "address");
const selected = (name: string): Owner => ({ ...local(name), selected: true });
const local = (name: string): Owner => ({ ...remote(name), here: true });
const remote = (name: string): Owner => ({
  ...{ key: endpointKey(name, "", ""), here: false, selected: false },
});
const [A, B] = [selected("a"), selected("b")];

test("an address that passes to another endpoint is noticed, also over a restart [8.10]", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const first = new AddressOwners(folder);
  assert.equal(first.note(ADDRESS, A), false);
  assert.equal(first.note(ADDRESS, A), false);
  assert.equal(first.note(ADDRESS, B), true);
  first.save();
  const second = new AddressOwners(folder);
  assert.equal(second.note(ADDRESS, B), false, "the same pod after a restart keeps its flows");
  assert.equal(second.note(ADDRESS, A), true);
});

test("only flows that bind the next owner are to be forgotten [8.10]", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const passes = (...owners: readonly Owner[]) => {
    const memory = new AddressOwners(folder);
    return owners.map((owner) => memory.note(ADDRESS, owner)).at(-1);
  };
  assert.equal(passes(A, remote("b")), true, "a policy's flow goes on by its gateway");
  assert.equal(passes(local("a"), B), true, "a direct one goes on with the node's address");
  assert.equal(passes(local("a"), local("b")), false);
  assert.equal(passes(remote("a"), B), false, "it has no flows here");
  assert.equal(passes(local("a"), A, local("a"), local("b")), true, "a policy selected it once");
});

test("killed while an address passes, the next process does it again [8.10]", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const isPassing = (address: Address) => address === ADDRESS;
  const passesNext = (owner: Owner) => new AddressOwners(folder).note(ADDRESS, owner);
  const memory = new AddressOwners(folder);
  memory.note(ADDRESS, A);
  memory.save();
  // To somebody whom nobody remembers, and on to somebody else.
  for (const next of [remote("c"), B]) {
    memory.note(ADDRESS, next);
    memory.note(OTHER, selected(`beside ${next.key}`));
    memory.save(isPassing);
    assert.equal(passesNext(A), false, "the file has the former owner");
    assert.equal(new AddressOwners(folder).note(OTHER, B), true, "and what is not passing");
  }
  assert.equal(passesNext(B), true);
  memory.save();
  assert.equal(passesNext(B), false);
  assert.equal(passesNext(A), true);
});

test("a file that has grown long is written anew, and says the same [8.10]", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const memory = new AddressOwners(folder);
  memory.note(ADDRESS, A);
  memory.save();
  memory.note(ADDRESS, remote("c"));
  const isPassing = (address: Address) => address === ADDRESS;
  let longest = 0;
  for (let i = 0; i < 10_000; i++) {
    memory.note(OTHER, selected(`b${i}`));
    memory.save(isPassing);
    const size = statSync(join(folder, "address-owners.jsonl")).size;
    if (size < longest) break;
    longest = size;
  }
  assert.ok(statSync(join(folder, "address-owners.jsonl")).size < longest);
  const next = new AddressOwners(folder);
  assert.equal(next.note(ADDRESS, A), false);
  assert.equal(next.note(OTHER, A), true);
});

test("a line that is cut short says nothing, and the others stay [8.10]", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "address-owners.jsonl");
  const first = new AddressOwners(folder);
  first.note(ADDRESS, A);
  first.save();
  appendFileSync(path, '["');
  const second = new AddressOwners(folder);
  assert.equal(second.note(ADDRESS, B), true);
  second.save();
  assert.equal(new AddressOwners(folder).note(ADDRESS, B), false, "what is added can be read");
});

test("an older release's file counts until the first save, also after a downgrade [8.10]", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (owner: Owner) => {
    const content = [[ADDRESS, owner.key, owner.selected]];
    writeFileSync(join(folder, "address-owners.json"), JSON.stringify({ version: 1, content }));
  };
  const memory = new AddressOwners(folder);
  memory.note(ADDRESS, A);
  memory.save();
  write(B);
  const upgraded = new AddressOwners(folder);
  assert.equal(upgraded.note(ADDRESS, B), false);
  assert.equal(upgraded.note(ADDRESS, A), true);
  upgraded.save();
  assert.equal(new AddressOwners(folder).note(ADDRESS, A), false);
});

test("a file of nobody's says nothing", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "address-owners.jsonl"), '{"version":2}\n[');
  writeFileSync(join(folder, "address-owners.json"), '{"version":1,"content":[["');
  assert.equal(new AddressOwners(folder).note(ADDRESS, A), false);
});
