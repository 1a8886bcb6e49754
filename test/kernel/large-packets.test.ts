// What is larger than the tunnel, on an underlay of 1500 bytes: datagrams in fragments, the
// kernel's answers to what is too long, and TCP in bulk; from a worker by either device of
// gateways, and from a pod on the gateway itself.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { objectsOf } from "../../src/apps/lab/lab-objects.ts";
import { SERVER } from "../../src/apps/lab/topology.ts";
import { sized } from "../support/soak.ts";
import { countArrivals } from "./lab-node.ts";
import type { Lab } from "./live-lab.ts";
import { assertFits, bringLabUp, missingForAgents, NO_LEAKS, seenDuring } from "./live-lab.ts";
import { until } from "./live-lab.ts";
import { isV6 } from "./netns-socket.ts";
import type { Path } from "./pod-paths.ts";
import { openFlow, openPaths } from "./pod-paths.ts";

const skip = missingForAgents() ?? false;
const UNDERLAY_MTU = 1500;
const TUNNEL_MTU = UNDERLAY_MTU - 50;
const HEADERS = { udp: 8, IPv4: 20, IPv6: 40 } as const;
/** Payloads: what fits into a pod's device but not the tunnel, a fragment more, many fragments. */
const SIZES = [1440, 1472, 1473, 2948, 9000, 20_000, 60_000];
const BULK_BYTES = sized(4, 64) * 2 ** 20;

function headers(path: Path): number {
  return HEADERS.udp + HEADERS[isV6(path.to) ? "IPv6" : "IPv4"];
}

/** Bytes of which no two places look alike. */
function pattern(length: number, salt: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + salt, 0x9e3779b1);
  return Buffer.from(words.buffer).subarray(0, length);
}

/** Sends a datagram until it is answered: at first the kernel may say that it is too long. */
async function exchange({ udp: { socket, egress } }: Path, payload: Buffer): Promise<void> {
  const head = Buffer.from(`${egress} `);
  let answer: Buffer | undefined;
  await until(() => {
    socket.send(payload);
    for (let one = socket.receive(); one !== undefined; one = socket.receive()) {
      if (one.length > payload.length) answer = one;
    }
    return answer?.subarray(-payload.length).equals(payload) === true;
  }, `an answer of ${payload.length} bytes`);
  assert.ok(answer?.subarray(0, head.length).equals(head), "from the same egress IP");
}

/** The longest datagram that may not be cut, as the pod's kernel has been told. */
async function longest(path: Path): Promise<number> {
  const { socket } = path.udp;
  // IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, always.
  if (isV6(path.to)) socket.setOption(41, 23, 2);
  else socket.setOption(0, 10, 2);
  const tooLong = Buffer.alloc(UNDERLAY_MTU - headers(path));
  await until(() => socket.send(tooLong) === "EMSGSIZE", "the kernel's word");
  let length = tooLong.length;
  while (socket.send(Buffer.alloc(length)) === "EMSGSIZE") length--;
  return length;
}

/** Sends all of it by TCP and reads it back. */
async function echo(lab: Lab, { pod, to }: Path): Promise<void> {
  const { socket } = await openFlow(lab, { pod, kind: "tcp", to });
  const stream = socket.toStream();
  const sent = pattern(BULK_BYTES, stream.localPort ?? 1);
  const pieces: Buffer[] = [];
  let length = 0;
  const read = new Promise<void>((resolve, reject) => {
    stream.on("error", reject).on("close", () => reject(new Error("closed")));
    stream.on("data", (piece: Buffer) => {
      pieces.push(piece);
      if ((length += piece.length) >= BULK_BYTES) resolve();
    });
  });
  stream.write(sent);
  await read;
  assert.ok(Buffer.concat(pieces).equals(sent), "the bytes that were sent");
  stream.removeAllListeners("close");
  stream.destroy();
  await once(stream, "close");
}

async function prepare(t: TestContext): Promise<Lab> {
  const lab = await bringLabUp(t, { pods: 3, secondNic: true });
  const by = (name: string, more: object) => ({
    ...{ nodeSelector: { matchLabels: { "kubernetes.io/hostname": name } }, ...more },
  });
  await (await objectsOf(lab.place)).put({
    apiVersion: "cilium.io/v2",
    kind: "CiliumEgressGatewayPolicy",
    metadata: { name: "both" },
    spec: {
      selectors: [{ podSelector: { matchLabels: { app: "client" } } }],
      destinationCIDRs: ["0.0.0.0/0", "::/0"],
      egressGateways: [
        by("gateway-1", { egressIP: "198.51.100.31" }),
        by("gateway-2", { interface: "out1" }),
      ],
    },
  });
  await assertFits(lab);
  return lab;
}

test("packets larger than the tunnel arrive whole, both ways [8.3, 8.4]", { skip }, async (t) => {
  const lab = await prepare(t);
  // IPv4 and IPv6 by the tunnel, then from the gateway's own pod.
  const sizes = [TUNNEL_MTU - 40, TUNNEL_MTU - 60, UNDERLAY_MTU - 40, UNDERLAY_MTU - 60];
  const syns = sizes.map((size) => `tcp flags & (syn | ack) == syn tcp option maxseg size ${size}`);
  const told = await countArrivals(lab, [SERVER], syns);
  const paths = await openPaths(t, lab);
  const byTunnel = paths.filter(({ node }) => node === "worker-1");
  assert.deepEqual([paths.length, byTunnel.length], [6, 4]);
  assert.equal(new Set(paths.map(({ udp }) => udp.egress)).size, 4, "two devices, two families");

  await t.test("TCP is told how much the tunnel takes, and no less elsewhere", async () => {
    assert.deepEqual(await told(), [2, 2, 1, 1]);
  });
  await t.test("datagrams in fragments", async () => {
    const seen = await seenDuring(lab, async () => {
      for (const size of SIZES) {
        await Promise.all(paths.map((path, i) => exchange(path, pattern(size, i))));
      }
    });
    assert.deepEqual(seen, NO_LEAKS);
  });
  await t.test("the kernel says how long a datagram may be", async () => {
    for (const path of byTunnel) {
      const length = await longest(path);
      assert.equal(length, TUNNEL_MTU - headers(path), `${path.pod} to ${path.to}`);
      await exchange(path, pattern(length, 7));
    }
  });
  await t.test("TCP in bulk", async () => {
    const seen = await seenDuring(lab, async () => {
      await Promise.all(paths.map((path) => echo(lab, path)));
    });
    assert.deepEqual(seen, NO_LEAKS);
  });
});
