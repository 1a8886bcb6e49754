// The same address with a new pod: what a former pod's connections left in the kernel must not
// carry the new one's packets, even from the same source port. The new pod sends all the time.

import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { removeFromNetwork } from "../../src/apps/lab/cni.ts";
import { objectsOf } from "../../src/apps/lab/lab-objects.ts";
import { podObject } from "../../src/apps/lab/objects.ts";
import { podMember } from "../../src/apps/lab/place.ts";
import { wirePod } from "../../src/apps/lab/pods.ts";
import type { LabPod } from "../../src/apps/lab/state.ts";
import { forgetPod } from "../../src/apps/lab/state.ts";
import { SERVER_PORT } from "../../src/apps/lab/topology.ts";
import { runCommand } from "../../src/drivers/kernel/command.ts";
import { present } from "../../src/lib/assert.ts";
import { renderAddress } from "../../src/net/address.ts";
import { prefixAddress } from "../../src/net/prefix.ts";
import { decodeRows } from "../../src/plan/map-layout.ts";
import { readPolicyMaps } from "../../src/sinks/policy-maps.ts";
import { temporaryFolder } from "../support/run-cli.ts";
import { sized } from "../support/soak.ts";
import type { Lab } from "./live-lab.ts";
import { bringLabUp, killAgents, missingForAgents, startAgents, until } from "./live-lab.ts";
import { isV6, NetnsSocket } from "./netns-socket.ts";

const skip = missingForAgents() ?? false;
const NODES = ["worker-1", "gateway-1", "gateway-2"];
const SOURCE_PORT = 20_000;
const TICK_MS = 2;
/** How long new packets are watched after everybody has the new rows. */
const WATCH_MS = sized(400, 3000);

/** A tenant's pods leave with its egress IPs; nobody's have no policy. */
const EGRESS = {
  first: ["198.51.100.31", "2001:db8:100::31"],
  second: ["198.51.100.41", "2001:db8:100::41"],
  /** On the same gateway as the first. */
  third: ["198.51.100.32", "2001:db8:100::32"],
  /** Its node's. */
  nobody: ["198.51.100.11", "2001:db8:100::11"],
} as const;
type Tenant = keyof typeof EGRESS;

async function applyTenants({ place }: Lab): Promise<void> {
  const objects = await objectsOf(place);
  for (const [tenant, addresses] of Object.entries(EGRESS)) {
    if (tenant === "nobody") continue;
    const node = tenant === "second" ? "gateway-2" : "gateway-1";
    const nodeSelector = { matchLabels: { "kubernetes.io/hostname": node } };
    const policy = (family: string, egressIP: string, destination: string) =>
      objects.put({
        apiVersion: "cilium.io/v2",
        kind: "CiliumEgressGatewayPolicy",
        metadata: { name: `${tenant}-${family}` },
        spec: {
          selectors: [{ podSelector: { matchLabels: { tenant } } }],
          destinationCIDRs: [destination],
          egressGateway: { nodeSelector, egressIP },
        },
      });
    await policy("v4", addresses[0] as string, "0.0.0.0/0");
    await policy("v6", addresses[1] as string, "::/0");
  }
}

let lastSecond = Date.UTC(2026, 0);

/** Each object is newer than the one before; Kubernetes has whole seconds. */
async function announce({ place }: Lab, pod: LabPod, tenant: Tenant): Promise<void> {
  const object = podObject(pod);
  const creationTimestamp = new Date((lastSecond += 1000)).toISOString();
  const metadata = { ...object.metadata, labels: { tenant }, creationTimestamp };
  await (await objectsOf(place)).put({ ...object, metadata });
}

/** Wires a pod on worker-1 that gets the lowest free address. */
async function wire(lab: Lab, name: string): Promise<LabPod> {
  const { place, topology } = lab;
  const leases = join(place.addresses, "worker-1/lab");
  // host-local goes on behind the address that it gave last.
  for (const file of readdirSync(leases)) {
    if (file.startsWith("last_reserved_ip")) rmSync(join(leases, file));
  }
  await runCommand("ip", ["netns", "add", place.namespace(podMember(name))]);
  return wirePod({ place, topology }, { name, node: workerOf(lab) });
}

function workerOf({ topology }: Lab) {
  return present(topology.nodes.find(({ name }) => name === "worker-1"), "worker-1");
}

async function unwire(lab: Lab, name: string): Promise<void> {
  await removeFromNetwork({ ...lab, node: workerOf(lab), pod: name });
  forgetPod(lab.place, name);
}

/** Sends by UDP from one source port, all the time, and notes what the server answers. */
class Talker {
  readonly answers: { readonly sentMs: number; readonly address: string }[] = [];
  readonly #sockets: NetnsSocket[];
  readonly #timer: NodeJS.Timeout;

  constructor(t: TestContext, { place, topology }: Lab, pod: string) {
    const netns = place.path(podMember(pod));
    const common = { netns, kind: "udp", port: SERVER_PORT, sourcePort: SOURCE_PORT } as const;
    this.#sockets = topology.server.map((to) => new NetnsSocket({ ...common, to }));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    t.after(() => this.end());
  }

  /** The addresses that the server saw in packets sent since then, the last of each family. */
  since(ms: number): string[] {
    const late = this.answers.filter(({ sentMs }) => sentMs >= ms);
    return [...new Set(late.map(({ address }) => address))].sort();
  }

  end(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #tick(): void {
    for (const socket of this.#sockets) {
      socket.send(Buffer.from(String(performance.now())));
      const [address, , sent] = socket.receive()?.toString("latin1").split(" ") ?? [];
      if (address !== undefined) this.answers.push({ sentMs: Number(sent), address });
    }
  }
}

/** What a node's maps say of these sources: gateway and egress IP, without doubles. */
async function rowsOf({ place }: Lab, node: string, sources: readonly string[]) {
  const maps = await readPolicyMaps(join(place.node(node).bpf, "tc/globals"));
  const rows = maps.flatMap(({ layout, entries }) => [...decodeRows(layout, entries)]);
  const ours = rows.filter(({ source }) => sources.includes(renderAddress(prefixAddress(source))));
  return {
    gateways: [...new Set(ours.map(({ gatewayIP }) => renderAddress(gatewayIP)))].sort(),
    egressIPs: [...new Set(ours.map(({ egressIP }) => renderAddress(egressIP)))].sort(),
  };
}

/** Waits until its node and every gateway have the pod's rows, and nobody else's. */
async function untilProgrammed(lab: Lab, { addresses }: LabPod, tenant: Tenant): Promise<void> {
  const gateway = { first: "gateway-1", second: "gateway-2", third: "gateway-1", nobody: "" };
  const { nodes } = lab.topology;
  const same = (a: readonly unknown[], b: readonly unknown[]) => a.join() === b.join();
  const address = nodes.find(({ name }) => name === gateway[tenant])?.internal[0];
  await until(async () => {
    const { gateways } = await rowsOf(lab, "worker-1", addresses);
    if (!same(gateways, address === undefined ? [] : [address])) return false;
    for (const { name } of nodes.filter((node) => node.gateway)) {
      const { egressIPs } = await rowsOf(lab, name, addresses);
      const wanted = name === gateway[tenant] ? [...EGRESS[tenant]].sort() : [];
      if (!same(egressIPs, wanted)) return false;
    }
    return true;
  }, `rows of the ${tenant} tenant's pod`);
}

interface Tenancy {
  readonly pod: LabPod;
  readonly talker: Talker;
}

type How =
  /** The object goes, then the network: as when a StatefulSet replaces a pod. */
  | "after it has gone"
  /** The object goes last: as a kubelet ends a pod. */
  | "while its object is still there"
  /** All of it happens while no agent runs. */
  | "while no agent runs";

let pods = 0;

/** A new pod gets the address of the former; gives what was seen once the rows were right. */
async function handOver(
  t: TestContext,
  lab: Lab,
  { former, tenant, how }: { former: Tenancy | undefined; tenant: Tenant; how: How },
): Promise<Tenancy & { readonly seen: readonly string[] }> {
  const name = `tenant-${++pods}`;
  const objects = await objectsOf(lab.place);
  if (how === "while no agent runs") await killAgents(lab, NODES);
  former?.talker.end();
  const lingers = how === "while its object is still there";
  if (former !== undefined) {
    if (!lingers) await objects.remove("Pod", former.pod.name);
    await unwire(lab, former.pod.name);
  }
  const pod = await wire(lab, name);
  if (former !== undefined) assert.deepEqual(pod.addresses, former.pod.addresses);
  const talker = new Talker(t, lab, name);
  // Time enough for an agent to find the device, and to think that it is the former pod's.
  if (lingers) await sleep(500);
  await announce(lab, pod, tenant);
  if (how === "while no agent runs") await startAgents(lab, NODES);
  await untilProgrammed(lab, pod, tenant);
  if (lingers) await objects.remove("Pod", present(former, "the former pod").pod.name);
  const since = performance.now();
  await sleep(WATCH_MS);
  await until(() => new Set(talker.since(since).map(isV6)).size === 2, "answers in both families");
  return { pod, talker, seen: talker.since(since) };
}

test("an address that changes hands starts clean [8.10]", { skip }, async (t) => {
  const lab = await bringLabUp(t, { pods: 1 });
  let former: Tenancy | undefined;
  const change = async (tenant: Tenant, how: How) => {
    const from = former === undefined ? "nobody before" : "the former pod";
    await t.test(`to ${tenant}, ${how} (${from})`, async () => {
      const next = await handOver(t, lab, { former, tenant, how });
      former = next;
      assert.deepEqual(next.seen, [...EGRESS[tenant]].sort());
    });
  };
  await applyTenants(lab);
  await change("first", "after it has gone");
  await change("second", "after it has gone");
  await change("first", "while its object is still there");
  await change("third", "while its object is still there");
  await change("second", "while no agent runs");
  await change("nobody", "after it has gone");
  await change("third", "while its object is still there");
  await change("nobody", "while its object is still there");
  // Agents that are killed when they have just come to know of a pod, of which none knew before.
  await change("first", "while no agent runs");
  await change("third", "while no agent runs");

  await t.test("the control: an agent that forgets nothing", async (t) => {
    await killAgents(lab, NODES);
    await withoutConntrack(t, () => startAgents(lab, NODES));
    for (const [tenant, how] of [
      ["first", "while its object is still there"],
      ["second", "after it has gone"],
    ] as const) {
      const next = await handOver(t, lab, { former, tenant, how });
      former = next;
      const wrong = next.seen.filter((seen) => !EGRESS[tenant].includes(seen as never));
      assert.ok(wrong.length > 0, `to ${tenant}: ${next.seen.join(", ")}`);
    }
  });
});

/** What starts meanwhile finds a conntrack(8) that does nothing. */
async function withoutConntrack(t: TestContext, work: () => Promise<void>): Promise<void> {
  const folder = temporaryFolder(t);
  const path = process.env["PATH"] ?? "";
  writeFileSync(join(folder, "conntrack"), "#!/bin/sh\n", { mode: 0o755 });
  process.env["PATH"] = folder + delimiter + path;
  try {
    await work();
  } finally {
    process.env["PATH"] = path;
  }
}
