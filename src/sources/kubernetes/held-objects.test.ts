import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ObjectChange } from "../../model/objects.ts";
import { HeldObjects } from "./held-objects.ts";

const node = (name: string, uid: string, labels: object = {}) => {
  return { metadata: { name, uid, labels, resourceVersion: "1" } };
};

function lines(changes: readonly ObjectChange[]): string[] {
  return changes.map(({ key, value }) => `${value === undefined ? "-" : "+"}${key}`);
}

function held(...raws: readonly object[]): HeldObjects {
  const objects = new HeldObjects({ apiVersion: "v1", kind: "Node" });
  for (const raw of raws) objects.put(raw);
  return objects;
}

describe("held objects", () => {
  test("give nothing for an object that is as it was", () => {
    const objects = held(node("a", "1"));
    const newer = { metadata: { ...node("a", "1").metadata, resourceVersion: "2" } };
    assert.deepEqual(lines(objects.put(newer)), []);
    assert.deepEqual(lines(objects.put(node("a", "1", { v: "2" }))), ["+a"]);
  });

  test("tell an object that was created again by its UID, though nothing else differs", () => {
    const objects = held(node("a", "1"));
    assert.deepEqual(lines(objects.put(node("a", "2"))), ["-a", "+a"]);
    const pods = new HeldObjects({ apiVersion: "v1", kind: "Pod" });
    const pod = (uid: string) => ({ metadata: { name: "p", namespace: "n", uid } });
    pods.beginList();
    pods.put(pod("1"));
    pods.endList();
    pods.beginList();
    const changes = [...pods.put(pod("2")), ...pods.endList()];
    assert.deepEqual(lines(changes), ["+2", "-1"]);
  });

  test("drop what a whole list lacks, and nothing for a list that broke off", () => {
    const objects = held(node("a", "1"), node("b", "2"));
    objects.beginList();
    assert.deepEqual(lines(objects.put(node("a", "1"))), []);
    // Broken off: the next one begins anew.
    objects.beginList();
    assert.deepEqual(lines(objects.put(node("b", "2"))), []);
    assert.deepEqual(lines(objects.endList()), ["-a"]);
    assert.deepEqual(lines(objects.remove(node("a", "1"))), []);
    assert.deepEqual(lines(objects.remove(node("b", "2"))), ["-b"]);
  });
});
