// Proves that an address's former owner is known, also to the next process.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { present } from "../../lib/assert.ts";
import { endpointKey } from "../../model/endpoint.ts";
import { parseAddress } from "../../net/address.ts";
import { AddressOwners } from "./address-owners.ts";

const ADDRESS = present(parseAddress("10.0.0.1"), "address");
const owner = (name: string, remember: boolean) => ({ owner: endpointKey(name, "", ""), remember });
const [A, B] = [owner("a", true), owner("b", true)];

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

test("whom nobody has to remember is no former owner, but has one [8.10]", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const owners = new AddressOwners(folder);
  assert.equal(owners.note(ADDRESS, owner("stranger", false)), false);
  assert.equal(owners.note(ADDRESS, A), false);
  assert.equal(owners.note(ADDRESS, owner("stranger", false)), true);
  assert.equal(owners.note(ADDRESS, owner("stranger", false)), false);
  assert.equal(owners.note(ADDRESS, B), false);
});

test("a file that is cut short says nothing", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-owners-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "address-owners.json"), '{"version":1,"content":[["');
  assert.equal(new AddressOwners(folder).note(ADDRESS, A), false);
});
