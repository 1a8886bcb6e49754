// A lab on which one packet case after the other is tried: what its members send, what the wire
// outside saw of it, and what the nodes counted.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { check } from "../../src/apps/lab/check.ts";
import { tearDown } from "../../src/apps/lab/down.ts";
import { pause, runScript, startDetached } from "../../src/apps/lab/namespaces.ts";
import { objectsOf } from "../../src/apps/lab/lab-objects.ts";
import { LabPlace, podMember } from "../../src/apps/lab/place.ts";
import { addPod } from "../../src/apps/lab/pods.ts";
import { programCommand } from "../../src/apps/lab/programs.ts";
import type { Sniffed } from "../../src/apps/lab/sniffer.ts";
import { Sniffer } from "../../src/apps/lab/sniffer.ts";
import type { LabPod } from "../../src/apps/lab/state.ts";
import type { LabNode, LabOptions, Topology } from "../../src/apps/lab/topology.ts";
import { OUTSIDE, planTopology, SERVER } from "../../src/apps/lab/topology.ts";
import { bringUp } from "../../src/apps/lab/up.ts";
import { present } from "../../src/lib/assert.ts";
import type { StatusDocument } from "../../src/status/document.ts";
import type { Side } from "./case-cluster.ts";
import { PODS, POLICIES, SERVICES, SIDES } from "./case-cluster.ts";

const run = promisify(execFile);

/** What the wire outside and the counters said during something. */
export interface Observed<T> {
  readonly value: T;
  /** Source addresses of packets that reached the server, sorted. */
  readonly sources: readonly string[];
  /** How many those packets are. */
  readonly packets: number;
  /** Packets under a reason, on a node. */
  counted(node: string, reason: string): number;
  /** `NODE REASON` -> packets, of all reasons that drop and that counted something. */
  readonly drops: Readonly<Record<string, number>>;
}

/** What came of opening flows. */
export interface Reached {
  /** The source address that the other end saw; empty: no answer. */
  readonly tcp: string;
  readonly udp: string;
  /** True: the echo came back. */
  readonly icmp: boolean;
}

export const SILENT: Reached = { tcp: "", udp: "", icmp: false };

export function seenAs(address: string): Reached {
  return { tcp: address, udp: address, icmp: true };
}

/** What `Observed.sources` is where these addresses were seen. */
export function sameSources(addresses: readonly string[]): string[] {
  return [...new Set(addresses)].sort();
}

/** Where the servers listen. */
export const PORT = 7777;
/** For an answer that comes, and for one that should not; TCP tries again meanwhile. */
export const ANSWER_S = 20;
export const SILENCE_S = 1.5;

/** Nothing was dropped but for one reason on one node, and that at least so often. */
export function assertDropped({ drops }: Observed<unknown>, what: string, atLeast: number): void {
  assert.deepEqual(Object.keys(drops), [what]);
  assert.ok((drops[what] ?? 0) >= atLeast, JSON.stringify(drops));
}

export class CaseLab {
  readonly place: LabPlace;
  readonly topology: Topology;
  readonly #pods = new Map<string, LabPod>();

  constructor(options: Pick<LabOptions, "name" | "cni">) {
    const size = { workers: 2, gateways: 2, pods: 0, ipv6: true, agents: true };
    const topology = planTopology({ ...options, ...size });
    this.place = new LabPlace(options.name);
    // The sniffer looks for all destinations.
    const more = SIDES.flatMap((side) => [
      ...[side.excluded, side.longer, side.addressless, side.gatewayless],
    ]);
    this.topology = { ...topology, server: [...topology.server, ...more] };
  }

  /** Brings it up, and waits until every pod leaves as its policies say. */
  async up(): Promise<void> {
    const { place, topology } = this;
    const server = topology.server.slice(0, 2);
    await bringUp(place, { ...topology, server }, () => undefined);
    const more = topology.server.slice(2);
    await this.inMember(SERVER, more.map((one) => `ip address add ${one} dev lo`).join("\n"));
    this.listen(SERVER, more);
    await this.#makeRouter();
    const objects = await objectsOf(place);
    for (const service of SERVICES) await objects.put(service);
    for (const [name, { node, app }] of Object.entries(PODS)) {
      const pod = await addPod({ place, topology }, { name, nodeName: node });
      const object = present(await objects.get("Pod", name), name);
      await objects.put({ ...object, metadata: { ...object.metadata, labels: { app } } });
      this.#pods.set(name, pod);
    }
    for (const policy of POLICIES) await objects.put(policy);
    const rules = SIDES.flatMap((side) => {
      const { ip, service } = side;
      const { pod, balancer, outside } = service;
      return [
        `${ip} daddr ${pod} dnat ${ip} to ${this.pod("far", side)}`,
        `${ip} daddr ${balancer} dnat ${ip} to ${this.node("worker-2", side)}`,
        `${ip} daddr ${outside} dnat ${ip} to ${side.covered}`,
      ];
    });
    await this.addDnat("services", rules);
    for (const side of SIDES) {
      for (const name of ["near", "far"]) this.listen(`pod:${name}`, [this.pod(name, side)]);
      for (const name of ["worker-1", "worker-2"]) this.listen(name, [this.node(name, side)]);
      await this.untilListening([this.pod("far", side), this.node("worker-2", side)]);
    }
    const { fits, paths } = await check(place, { ...topology, server }, { once: false });
    assert.ok(fits, JSON.stringify(paths));
  }

  down(): Promise<boolean> {
    return tearDown(this.place);
  }

  /** The pod's address of the side's family. */
  pod(name: string, { place }: Side): string {
    return present(present(this.#pods.get(name), name).addresses[place], name);
  }

  /** A node's internal address of the side's family. */
  node(name: string, { place }: Side): string {
    return present(this.nodeNamed(name).internal[place], name);
  }

  /** Every address of a node on its device to the outside. */
  ownAddresses(name: string): ReadonlySet<string> {
    const { outside, egress } = this.nodeNamed(name);
    return new Set([...outside, ...egress.flat()]);
  }

  nodeNamed(name: string): LabNode {
    return present(this.topology.nodes.find((one) => one.name === name), name);
  }

  /** A member's namespace: of a node, the server, or with `pod:` a pod. */
  path(member: string): string {
    return this.place.path(memberOf(member));
  }

  /** Runs lines of shell, which must succeed. */
  inMember(member: string, script: string): Promise<string> {
    return runScript(this.place.namespace(memberOf(member)), script);
  }

  /** Starts an echo server there; it ends with the lab. */
  listen(member: string, addresses: readonly string[]): void {
    const command = programCommand("echo-server", [String(PORT), ...addresses]);
    const log = this.place.log(`${member.replace(":", "-")}-${addresses[0]}`);
    startDetached(this.place.namespace(memberOf(member)), { command, log });
  }

  /** Waits until all of them take connections, as worker-1 sees it. */
  async untilListening(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      const tries = `until exec 3<>/dev/tcp/${address}/${PORT}; do sleep 0.05; done; echo here`;
      assert.equal(await this.bash("worker-1", tries, START_S), "here", address);
    }
  }

  /** The server also leads somewhere, by a link that takes little. */
  async #makeRouter(): Promise<void> {
    const routes = SIDES.map(({ narrow }) => `ip route add ${narrow} dev narrow`);
    await this.inMember(SERVER, `
      sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
      ip link add narrow type veth peer name narrow-end
      ip link set narrow mtu 1280 up; ip link set narrow-end up
      ${routes.join("\n")}`);
  }

  /** A table of worker-1, as kube-proxy has one: what these rules translate. */
  async addDnat(name: string, rules: readonly string[]): Promise<void> {
    const hook = "type nat hook prerouting priority dstnat;";
    const table = `table inet ${name} {\nchain in { ${hook}\n${rules.join("\n")}\n}\n}`;
    await this.inMember("worker-1", `nft -f - <<'END'\n${table}\nEND`);
  }

  /** Until what was sent without an answer has come as far as it gets. */
  settle(): Promise<void> {
    return pause(SETTLE_MS);
  }

  /** What is printed; a command that fails or takes too long has printed what it has. */
  async bash(member: string, script: string, seconds: number): Promise<string> {
    const args = [`--net=${this.path(member)}`, "timeout", String(seconds), "bash", "-c", script];
    try {
      return (await run("nsenter", args)).stdout.trim();
    } catch (error) {
      return (error as { stdout: string }).stdout.trim();
    }
  }

  /** Opens a connection, and sends a datagram and a ping. */
  async reach(member: string, to: string, seconds = ANSWER_S): Promise<Reached> {
    const [tcp, udp, icmp] = await Promise.all([
      this.bash(member, `exec 3<>/dev/tcp/${to}/${PORT}; read -r _ a _ <&3; echo $a`, seconds),
      this.udpAnswer(member, to, seconds),
      this.bash(member, `ping -n -c 1 -W ${seconds} ${to}`, seconds + 1),
    ]);
    return { tcp, udp, icmp: icmp.includes(" 1 received") };
  }

  /** The source address of a datagram, as its answer says it. */
  async udpAnswer(member: string, to: string, seconds = ANSWER_S): Promise<string> {
    const ask = `exec 3<>/dev/udp/${to}/${PORT}; echo x >&3`;
    const answer = await this.bash(member, `${ask}; dd bs=9000 count=1 <&3 2>/dev/null`, seconds);
    return answer.split(" ")[0] as string;
  }

  /** Both families at once: what each of them came to, and what was seen of both. */
  inBoth<T>(act: (side: Side) => Promise<T>): Promise<Observed<T[]>> {
    return this.observe(() => Promise.all(SIDES.map(act)));
  }

  /** Watches wire and counters during `work`. */
  async observe<T>(work: () => Promise<T>): Promise<Observed<T>> {
    await this.#quiet();
    const before = await this.#counters();
    const { sniffed, value } = await this.sniff(work);
    const after = await this.#counters();
    const difference = (key: string) => (after.get(key)?.packets ?? 0) - packetsOf(before, key);
    const drops = [...after].filter(([key, { drop }]) => drop && difference(key) !== 0);
    return {
      value,
      sources: [...sniffed.sources.keys()].sort(),
      packets: [...sniffed.sources.values()].reduce((sum, count) => sum + count, 0),
      counted: (node, reason) => difference(`${node} ${reason}`),
      drops: Object.fromEntries(drops.map(([key]) => [key, difference(key)])),
    };
  }

  /** Watches the wire alone. */
  async sniff<T>(work: () => Promise<T>): Promise<{ sniffed: Sniffed; value: T }> {
    const seen = await Sniffer.during(this, work);
    assert.equal(seen.sniffed.missed, 0, "the sniffer missed packets");
    return seen;
  }

  /** Until what earlier flows had to say at their end has arrived. */
  async #quiet(): Promise<void> {
    let before = "";
    for (;;) {
      const now = await this.inMember(SERVER, `grep ${OUTSIDE} /proc/net/dev`);
      if (now === before) return;
      before = now;
      await pause(QUIET_MS);
    }
  }

  /** `NODE REASON` -> what its agent says, as `sluice status -o json` shows it. */
  async #counters(): Promise<Counters> {
    const all = await Promise.all(
      this.topology.nodes.map(async ({ name }) => {
        const answer = await this.bash(name, ASK_STATUS, STATUS_S);
        const body = answer.slice(answer.indexOf("{"));
        const { counters } = JSON.parse(body) as StatusDocument;
        return counters.map((one) => [`${name} ${one.reason}`, one] as const);
      }),
    );
    return new Map(all.flat());
  }
}

/** A server has so long to start. */
const START_S = 60;
const SETTLE_MS = 400;
const QUIET_MS = 250;
/** Without a process of Node for each of many questions. */
const ASK_STATUS = `exec 3<>/dev/tcp/127.0.0.1/9879
  printf "GET /v1/status HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3`;
const STATUS_S = 30;

type Counters = ReadonlyMap<string, { readonly packets: number; readonly drop: boolean }>;

function packetsOf(counters: Counters, key: string): number {
  return present(counters.get(key), key).packets;
}

function memberOf(name: string): string {
  const [kind = "", pod] = name.split(":");
  return pod === undefined ? kind : podMember(pod);
}
