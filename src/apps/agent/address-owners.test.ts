// Proves that an address's former owner is known, also to the next process.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { present } from "../../lib/assert.ts";
import { endpointKey } from "../../model/endpoint.ts";
import { parseAddress } from "../../net/address.ts";
import type { Owner } from "./address-owners.ts";
import { AddressOwners } from "./address-owners.ts";

const ADDRESS = present(parseAddress("10.0.0.1"), "address");
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

test("a file that is cut short says nothing", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "address-owners.json"), '{"version":1,"content":[["');
  assert.equal(new AddressOwners(folder).note(ADDRESS, A), false);
});
