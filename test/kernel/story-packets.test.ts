// The `packet` lines of the stories through the compiled programs: maps filled from the rows that
// the story's node had, a packet made by hand, and the answer that the story prints.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { present } from "../../src/lib/assert.ts";
import type { Address } from "../../src/net/address.ts";
import { renderAddress } from "../../src/net/address.ts";
import type { NodeDatapath } from "../../src/reconcile/datapath.ts";
import { desiredDatapath } from "../../src/reconcile/desired.ts";
import type { AskedPacket } from "../scenario/play.ts";
import { play } from "../scenario/play.ts";
import { parseStory } from "../scenario/story.ts";
import { address } from "../support/sample-plan.ts";
import { ifindexOf, objectMissing } from "./datapath-node.ts";
import { mountPrivateBpffs } from "./private-bpffs.ts";
import { enterPrivateNetns, shell } from "./private-netns.ts";
import { SPOOFED, VerdictNode } from "./verdict-node.ts";

const bpffs = mountPrivateBpffs();
const skip = bpffs.skip ?? enterPrivateNetns() ?? objectMissing() ?? false;
const FOLDER = join(import.meta.dirname, "../scenarios");
/** Stands for a node that no object describes: it is nobody's gateway. */
const NOWHERE = address("192.168.99.99");

const ifindex = skip === false ? makeDevice() : 0;
const nodes = new Map<Address, VerdictNode>();
after(() => nodes.forEach((node) => node.close()));

function makeDevice(): number {
  shell("ip link add pod-a type veth peer name pod-b; ip link set pod-a up; ip link set pod-b up");
  return ifindexOf("pod-a");
}

/** The programs know a node's address as a constant, so there is one set of them per node. */
function nodeAt(self: Address): VerdictNode {
  let node = nodes.get(self);
  if (node === undefined) {
    node = new VerdictNode(join(bpffs.directory, renderAddress(self).replaceAll(".", "-")), self);
    nodes.set(self, node);
  }
  return node;
}

/** What the node of the story has, with the packet's source on the node `home`. */
function datapathOf(node: VerdictNode, packet: AskedPacket, home: Address): NodeDatapath {
  const { source, rows, inside } = packet;
  const device = { ifindex, interface: "pod-a" };
  return desiredDatapath({
    self: node.self,
    nodes: [],
    prefixes: { all: inside, pods: [], own: [] },
    endpoints: [{ address: source, node: home }],
    rows,
    held: new Set(),
    kernel: { links: [], routes: [], neighbours: [], bridgeEntries: [] },
    pods: { devices: new Map([[source, device]]), attach: [ifindex] },
    gatewayIndexes: node.gatewayIndexes,
    egressIndexes: node.egressIndexes,
  });
}

/** The answer of the programs where the source lives on `home`. */
async function ask(packet: AskedPacket, home: Address): Promise<string> {
  const node = nodeAt(packet.self ?? NOWHERE);
  await node.fill(packet.rows, datapathOf(node, packet, home));
  return node.ask({ source: packet.source, destination: packet.destination, ifindex });
}

const asked = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".txtar"))
  .map((name) => ({ name, story: parseStory(readFileSync(join(FOLDER, name), "utf8")) }))
  .map(({ name, story }) => ({ name, packets: play(story).packets }))
  .filter(({ packets }) => packets.length > 0);

describe("the programs answer a story's packets as the story does [8.3]", { skip }, () => {
  for (const { name, packets } of asked) {
    test(`${name}: ${packets.length} packets`, async () => {
      for (const packet of packets) {
        const self = packet.self ?? NOWHERE;
        assert.equal(await ask(packet, self), packet.answer);
        // Where the story's pod lives elsewhere, its address is not this node's to send from.
        const { home } = packet;
        if (home !== undefined && home !== self) assert.equal(await ask(packet, home), SPOOFED);
      }
    });
  }

  test("every kind of answer was among them [8.9]", () => {
    const all = asked.flatMap(({ packets }) => packets);
    const kinds = new Set(all.map(({ answer }) => answer.replace(/^(tunnel|local) .*/, "$1")));
    const wanted = ["direct", "drop NoEgressIP", "drop NoGateway", "excluded", "local", "tunnel"];
    assert.deepEqual([...kinds].sort(), wanted);
    const foreign = all.filter(({ home, self }) => home !== self);
    assert.ok(foreign.length > 0 && foreign.length < all.length);
    present(all.find(({ source }) => source.length > 4), "a packet of IPv6");
  });
});
