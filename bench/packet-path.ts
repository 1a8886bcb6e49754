// A way for packets: pod, worker, gateway and server, each a network namespace, cabled directly, so
// that nothing but the two nodes costs anything. What the nodes do is the variants' business.
//
//   pod 10.244.1.5 ── worker ── 172.20.0.0/24 ── gateway ── 198.51.100.0/24 ── server

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../src/drivers/kernel/command.ts";

export type Member = "pod" | "worker" | "gateway" | "server";
const MEMBERS: readonly Member[] = ["pod", "worker", "gateway", "server"];

export const POD = "10.244.1.5";
export const WORKER = "172.20.0.11";
export const GATEWAY = "172.20.0.21";
export const GATEWAY_OUTSIDE = "198.51.100.21";
export const EGRESS_IP = "198.51.100.31";
export const SERVER = "198.51.100.100";
export const POD_NETWORK = "10.244.0.0/16";
export const NODE_NETWORK = "172.20.0.0/24";

const SCRIPTS: Readonly<Record<Member, string>> = {
  pod: `ip address add ${POD}/32 dev eth0; ip link set eth0 up
    ip route add 169.254.1.1 dev eth0; ip route add default via 169.254.1.1`,
  worker: `ip link set pod0 up; ip address add 169.254.1.1/32 dev pod0
    ip route add ${POD} dev pod0
    ip address add ${WORKER}/24 dev under; ip link set under up
    ip route add default via ${GATEWAY}`,
  gateway: `ip address add ${GATEWAY}/24 dev under; ip link set under up
    ip address add ${GATEWAY_OUTSIDE}/24 dev out; ip address add ${EGRESS_IP}/32 dev out
    ip link set out up; ip route add default via ${SERVER}
    ip route add 10.244.1.0/24 via ${WORKER}`,
  server: `ip address add ${SERVER}/24 dev out; ip link set out up`,
};

export class PacketPath {
  readonly #prefix: string;
  readonly #children: ChildProcess[] = [];
  readonly directory: string;

  private constructor(prefix: string) {
    this.#prefix = prefix;
    this.directory = mkdtempSync(join(tmpdir(), "sluice-packets-"));
  }

  /** Makes the namespaces and their cables; `name` must be free. */
  static async make(name: string): Promise<PacketPath> {
    const path = new PacketPath(`sb${process.pid}-${name}-`);
    const cables = [
      ["eth0", "pod", "pod0", "worker"],
      ["under", "worker", "under", "gateway"],
      ["out", "gateway", "out", "server"],
    ] as const;
    const lines = [
      ...MEMBERS.map((member) => `netns add ${path.#name(member)}`),
      ...cables.map(([device, one, peer, other]) => {
        const ends = [path.#name(one), path.#name(other)];
        return `link add ${device} netns ${ends[0]} type veth peer name ${peer} netns ${ends[1]}`;
      }),
    ];
    await runCommand("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
    for (const member of MEMBERS) {
      const forwarding = "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0";
      await path.run(member, `ip link set lo up; ${forwarding}\n${SCRIPTS[member]}`);
    }
    return path;
  }

  /** Runs a shell script in a namespace to its end; what it printed. */
  run(member: Member, script: string): Promise<string> {
    return runCommand("nsenter", [...this.#enter(member), "sh", "-eu", "-s"], { input: script });
  }

  /** Starts a process in a namespace that ends with the path; `cpu` pins it. */
  start(member: Member, command: readonly string[], cpu?: number): ChildProcess {
    const pin = cpu === undefined ? [] : ["taskset", "-c", String(cpu)];
    const args = [...this.#enter(member), ...pin, ...command];
    const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout?.resume();
    this.#children.push(child);
    return child;
  }

  /** Datagrams that reached a socket of the server, read or not. */
  async received(): Promise<number> {
    const text = await this.run("server", "grep ^Udp: /proc/net/snmp");
    const [names = [], values = []] = text.trim().split("\n").map((line) => line.split(" "));
    const value = (name: string) => Number(values[names.indexOf(name)]);
    return value("InDatagrams") + value("InErrors");
  }

  /** A directory with a BPF file system of its own, as each node has. */
  async mountBpf(member: Member): Promise<string> {
    const directory = join(this.directory, member, "bpf");
    mkdirSync(directory, { recursive: true });
    await runCommand("mount", ["-t", "bpf", "bpf", directory]);
    return directory;
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.on("close", resolve));
      child.kill();
      await ended;
    }
    for (const member of MEMBERS) await runCommand("ip", ["netns", "del", this.#name(member)]);
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
    for (const line of mounts) {
      const [, where = ""] = line.split(" ");
      if (where.startsWith(this.directory)) await runCommand("umount", [where]);
    }
    rmSync(this.directory, { recursive: true });
  }

  #enter(member: Member): string[] {
    return [`--net=/run/netns/${this.#name(member)}`];
  }

  #name(member: Member): string {
    return this.#prefix + member;
  }
}
