// The sniffer outside: every packet that reaches the server's cables, by source address. It knows
// no plan and trusts nobody's report: tcpdump reads what is on the wire. Where there are two
// networks, an address of one on the other's cable is called `ADDRESS on DEVICE`: it took the wrong
// way out.

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { LabError } from "./lab-error.ts";
import { pause } from "./namespaces.ts";
import type { LabPlace } from "./place.ts";
import type { Topology } from "./topology.ts";
import { deviceOf, OUTSIDE, outsideBridges, SECOND, SECOND_BRIDGE, SERVER } from "./topology.ts";

export interface Sniffed {
  /** Source address -> packets that it sent to the server. */
  readonly sources: ReadonlyMap<string, number>;
  /** Identifier of an ICMP echo request -> its source address. */
  readonly echoes: ReadonlyMap<number, string>;
  /** Packets that tcpdump was too slow for: more than 0, and nothing is proven. */
  readonly missed: number;
}

const START_MS = 5000;
/** Room for packets while this machine has other things to do. */
const BUFFER_KIB = 16_384;
/** What is on the wire reaches tcpdump's output in this time. */
const SETTLE_MS = 150;

export class Sniffer {
  /** Whose addresses are expected here; undefined: there is no other. */
  readonly #device: string | undefined;
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;
  readonly #sources = new Map<string, number>();
  readonly #echoes = new Map<number, string>();
  #rest = "";
  #complaints = "";

  private constructor(device: string | undefined, child: ChildProcess) {
    this.#device = device;
    this.#child = child;
    this.#closed = new Promise((resolve) => child.on("close", () => resolve()));
    child.stdout?.setEncoding("latin1").on("data", (text: string) => this.#take(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#complaints += text));
  }

  /** Begins to watch; returns when nothing is missed any more. */
  static async #start(
    place: LabPlace,
    { server, second }: Topology,
    bridge: string,
  ): Promise<Sniffer> {
    const device = bridge === SECOND_BRIDGE ? SECOND : OUTSIDE;
    const options = ["-i", SERVER, "-Q", "out", "-n", "-l", "-t", "-s", "96", "-Z", "root"];
    options.push("-B", String(BUFFER_KIB));
    const args = [`--net=${place.path(bridge)}`, "tcpdump", ...options, filterFor(server)];
    const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "pipe"] });
    const sniffer = new Sniffer(second.length > 0 ? device : undefined, child);
    let failed: Error | undefined;
    child.on("error", (error) => (failed = error));
    const deadline = performance.now() + START_MS;
    while (!sniffer.#complaints.includes("listening on")) {
      if (failed !== undefined || child.exitCode !== null || performance.now() > deadline) {
        const reason = failed?.message ?? sniffer.#complaints.trim();
        throw new LabError(`the sniffer does not start: ${reason}`, "Try tcpdump by hand.");
      }
      await pause(5);
    }
    return sniffer;
  }

  /** Watches during `work`; what it saw, and what `work` gave. */
  static async during<T>(
    lab: { readonly place: LabPlace; readonly topology: Topology },
    work: () => Promise<T>,
  ): Promise<{ readonly sniffed: Sniffed; readonly value: T }> {
    const sniffers: Sniffer[] = [];
    try {
      for (const bridge of outsideBridges(lab.topology)) {
        sniffers.push(await Sniffer.#start(lab.place, lab.topology, bridge));
      }
      const value = await work();
      return { sniffed: together(await Promise.all(sniffers.map((one) => one.#stop()))), value };
    } finally {
      for (const one of sniffers) one.#child.kill("SIGTERM");
    }
  }

  async #stop(): Promise<Sniffed> {
    await pause(SETTLE_MS);
    this.#child.kill("SIGTERM");
    await this.#closed;
    const missed = Number(/(\d+) packets? dropped by kernel/.exec(this.#complaints)?.[1] ?? NaN);
    if (Number.isNaN(missed)) throw new LabError(`the sniffer was ended: ${this.#complaints}`);
    return { sources: this.#sources, echoes: this.#echoes, missed };
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const address = sourceOf(line);
      if (address === undefined) continue;
      const device = this.#device ?? deviceOf(address);
      const source = deviceOf(address) === device ? address : `${address} on ${device}`;
      this.#sources.set(source, (this.#sources.get(source) ?? 0) + 1);
      const echo = /ICMP6?,? echo request, id (\d+),/.exec(line);
      if (echo !== null) this.#echoes.set(Number(echo[1]), source);
    }
  }
}

function together(all: readonly Sniffed[]): Sniffed {
  const sources = new Map<string, number>();
  for (const [source, packets] of all.flatMap((one) => [...one.sources])) {
    sources.set(source, (sources.get(source) ?? 0) + packets);
  }
  const echoes = new Map(all.flatMap((one) => [...one.echoes]));
  return { sources, echoes, missed: all.reduce((sum, { missed }) => sum + missed, 0) };
}

/** Everything but neighbour discovery, whose sources are the nodes' own business. */
function filterFor(server: readonly string[]): string {
  const parts = server.map((address) =>
    address.includes(":")
      ? `(dst host ${address} and not (icmp6 and ip6[40] >= 133 and ip6[40] <= 137))`
      : `(ip and dst host ${address})`,
  );
  return parts.join(" or ");
}

/** `IP 192.0.2.1.4000 > ...`, `IP6 2001:db8::1.4000 > ...`; without a port for ICMP, fragments. */
export function sourceOf(line: string): string | undefined {
  const [, family, source = ""] = /^(IP6?) (\S+) > /.exec(line) ?? [];
  if (family === undefined) return undefined;
  return family === "IP" ? source.split(".").slice(0, 4).join(".") : source.split(".")[0];
}
