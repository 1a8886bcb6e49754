// What packets cost: plain routing, a plain VXLAN tunnel, marks by ipset and iptables, and Sluice,
// on paths of the same shape in one run, round by round in turn.
//
//   npm run --silent bench:packets -- [--json] [--rounds 5] [--seconds 1] [--only sluice-1,vxlan]
//   (root, gcc, iperf3, iptables, ipset; a quiet machine of two cores)
//
// udp: thousands of datagrams of 64 bytes that reach the server for a second of the core that
// carries the sender and the whole way. up, down: TCP, Gbit/s, both cores. cpu: seconds of all
// cores for a GB of TCP. rtt, p99: UDP round trip, microseconds. All medians of the rounds; `of
// vxlan`: by the value that the plain tunnel had. Goals: udp 0.75, TCP 0.85 of vxlan; at least
// ipset-1, 1.5 times ipset-100, and with 1,000 policies what it is with one.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { makeScreen } from "../src/lib/screen.ts";
import { renderTable } from "../src/lib/table.ts";
import { PacketPath, SERVER } from "./packet-path.ts";
import type { Variant } from "./packet-variants.ts";
import { VARIANTS } from "./packet-variants.ts";

const PORTS = { flood: "7001", ping: "7000", tcp: "5201" } as const;
const PACKET_BYTES = "64";
const CORE = 0;
const CLOCK_TICKS = 100;

interface Sample {
  readonly udp: number;
  readonly up: number;
  readonly down: number;
  readonly cpu: number;
  readonly rtt: number;
  readonly p99: number;
}
const FIGURES = ["udp", "up", "down", "cpu", "rtt", "p99"] as const;
const RATIOS = ["udp", "up", "down"] as const;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1" },
    only: { type: "string" },
  },
});
const only = values.only?.split(",");
const softirqThread = readdirSync("/proc").find((pid) => readComm(pid) === `ksoftirqd/${CORE}`);
const variants = VARIANTS.filter(({ name }) => only === undefined || only.includes(name));
const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
const program = join(folder, "packets");
const paths = new Map<Variant, PacketPath>();
try {
  const source = new URL("packets.c", import.meta.url).pathname;
  execFileSync("gcc", ["-O2", "-Wall", "-Werror", "-o", program, source]);
  await measureAll();
} finally {
  for (const path of paths.values()) await path.close();
  rmSync(folder, { recursive: true });
}

async function measureAll(): Promise<void> {
  for (const variant of variants) {
    const path = await PacketPath.make(variant.name);
    paths.set(variant, path);
    await variant.setUp(path);
    path.start("server", [program, "sink", PORTS.flood]);
    path.start("server", [program, "echo", PORTS.ping], CORE);
    path.start("server", ["iperf3", "--server", "--port", PORTS.tcp]);
    await sleep(300);
    await checkSource(path, variant);
  }
  const samples = new Map<Variant, Sample[]>(variants.map((variant) => [variant, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [variant, path] of paths) samples.get(variant)?.push(await measure(path));
  }
  print(samples);
}

/** A path that is not what it says would be measured for nothing. */
async function checkSource(path: PacketPath, { name, source }: Variant): Promise<void> {
  const filter = `udp port ${PORTS.ping}`;
  const dump = path.run("server", `timeout 5 tcpdump -nc1 -i out ${filter} 2>/dev/null`);
  await sleep(700);
  await inPod(path, ["ping", SERVER, PORTS.ping, "0.1"]);
  const seen = /IP (\d+\.\d+\.\d+\.\d+)\./.exec(await dump)?.[1];
  if (seen !== source) throw new Error(`${name}: the server saw ${seen}, not ${source}`);
}

async function measure(path: PacketPath): Promise<Sample> {
  const { seconds } = values;
  const before = await path.received();
  const helped = readSoftirqSeconds();
  const flooded = await inPod(path, ["flood", SERVER, PORTS.flood, PACKET_BYTES, seconds]);
  const { seconds: spent } = JSON.parse(flooded) as { seconds: number };
  await sleep(50);
  const udp = ((await path.received()) - before) / (spent + readSoftirqSeconds() - helped) / 1000;
  const busy = readBusy();
  const up = await tcp(path, []);
  const down = await tcp(path, ["--reverse"]);
  const cpu = (readBusy() - busy) / ((up.bytes + down.bytes) / 1e9);
  const text = await inPod(path, ["ping", SERVER, PORTS.ping, seconds]);
  const { median: rtt, p99 } = JSON.parse(text) as { median: number; p99: number };
  return { udp, up: up.rate, down: down.rate, cpu, rtt: rtt / 1000, p99: p99 / 1000 };
}

/** Runs the load on one core; what it printed. */
function inPod(path: PacketPath, words: readonly string[]): Promise<string> {
  return path.run("pod", `taskset -c ${CORE} ${[program, ...words].join(" ")}`);
}

async function tcp(path: PacketPath, words: readonly string[]) {
  const options = ["--json", "--port", PORTS.tcp, "--time", values.seconds, ...words];
  const text = await path.run("pod", `iperf3 --client ${SERVER} ${options.join(" ")}`);
  const { end } = JSON.parse(text) as {
    end: { sum_received: { bits_per_second: number; bytes: number } };
  };
  return { rate: end.sum_received.bits_per_second / 1e9, bytes: end.sum_received.bytes };
}

/** Seconds that all cores together were busy, whatever with. */
function readBusy(): number {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const [user = 0, nice = 0, system = 0, , , irq = 0, soft = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + soft) / CLOCK_TICKS;
}

function readComm(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/** What the kernel's thread has worked for senders that had to wait for the core. */
function readSoftirqSeconds(): number {
  const [worked = "0"] = readFileSync(`/proc/${softirqThread}/schedstat`, "utf8").split(" ");
  return Number(worked) / 1e9;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function print(samples: ReadonlyMap<Variant, readonly Sample[]>): void {
  const medians = [...samples].map(([{ name, about }, list]) => {
    const figure = (key: keyof Sample) => median(list.map((sample) => sample[key]));
    const figures = Object.fromEntries(FIGURES.map((key) => [key, figure(key)]));
    return { name, about, ...(figures as unknown as Sample) };
  });
  const base = medians.find(({ name }) => name === "vxlan");
  const ofVxlan = (one: Sample, key: keyof Sample) => one[key] / (base?.[key] ?? Number.NaN);
  const rows = medians.map((one) => ({
    ...one,
    ofVxlan: Object.fromEntries(RATIOS.map((key) => [key, ofVxlan(one, key)])),
  }));
  if (values.json) return console.log(JSON.stringify(rows, undefined, 1));
  const titles = [...FIGURES, ...RATIOS.map((key) => `${key} of vxlan`)];
  const right = titles.map((title) => ({ title, align: "right" }) as const);
  const cells = rows.map((one) => [
    one.name,
    ...FIGURES.map((key) => one[key].toPrecision(3)),
    ...RATIOS.map((key) => (one.ofVxlan[key] ?? Number.NaN).toFixed(2)),
  ]);
  const table = { columns: [{ title: "variant" }, ...right], rows: cells, size: cells.length };
  const screen = makeScreen({ columns: 120, linesMax: 40, unicode: false, colour: false });
  renderTable({ ...table, seeAll: "--json" }, screen, (text) => process.stdout.write(text));
}
