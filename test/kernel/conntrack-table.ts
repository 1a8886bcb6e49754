// Connection tracking of a node made full: each network namespace counts its own entries against
// the machine's limit, so the machine's own table and the limit stay as they are.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { runCommand } from "../../src/drivers/kernel/command.ts";
import { OperationError } from "../../src/lib/operation-error.ts";
import type { FlowLab } from "./flow-lab.ts";

const PORTS = 250;
/** Entries that may go (unanswered, closing) do so when a table is full, within a second or so. */
const TRIES = 5;
const TRY_MS = 300;
const ENTRIES_A_TRY = 500;
/** Below the time that a command may take, whatever else the machine does. */
const ENTRIES_A_CALL = 50_000;

/** The table of one node, filled with answered flows of nobody. */
export class ConntrackTable {
  readonly #lab: FlowLab;
  readonly #node: string;
  #next = 0;

  constructor(lab: FlowLab, node: string) {
    this.#lab = lab;
    this.#node = node;
  }

  /** How many entries a namespace may have. */
  static get size(): number {
    return Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_max", "utf8"));
  }

  /** How many it has. */
  async count(): Promise<number> {
    const file = "/proc/sys/net/netfilter/nf_conntrack_count";
    return Number(await this.#lab.inNode(this.#node, `cat ${file}`));
  }

  /** Fills it but for so many entries. */
  async leaveRoom(entries: number): Promise<void> {
    await this.#add(ConntrackTable.size - entries - (await this.count()));
  }

  /** Forgets what this source began; of a flood that takes its time. */
  async forget(source: string): Promise<void> {
    const namespace = `--net=${this.#lab.place.path(this.#node)}`;
    const script = "conntrack -D -s $0 -p tcp; conntrack -D -s $0 -p udp";
    const options = { stdio: "ignore" } as const;
    const child = spawn("nsenter", [namespace, "sh", "-c", script, source], options);
    await once(child, "close");
  }

  /** Fills it until no other flow finds room. */
  async fill(): Promise<void> {
    for (let refused = 0; refused < TRIES; ) {
      const missing = ConntrackTable.size - (await this.count());
      refused = (await this.#add(missing + ENTRIES_A_TRY)) ? 0 : refused + 1;
      if (refused > 0) await sleep(TRY_MS);
    }
  }

  /** True if all found room. */
  async #add(count: number): Promise<boolean> {
    for (let rest = count; rest > 0; rest -= ENTRIES_A_CALL) {
      const size = Math.min(rest, ENTRIES_A_CALL);
      const lines = Array.from({ length: size }, () => entry(this.#next++));
      if (!(await load(this.#lab.place.path(this.#node), lines.join("")))) return false;
    }
    return true;
  }
}

/** Each number has another pair of source and port. */
function entry(number: number): string {
  const port = 1 + (number % PORTS);
  const host = Math.floor(number / PORTS);
  const [from, to] = [`10.99.${host >> 8}.${host & 0xff}`, "10.98.0.1"];
  const [there, back] = [`-s ${from} -d ${to}`, `-r ${to} -q ${from}`];
  const ports = `--orig-port-src ${port} --orig-port-dst 9 --reply-port-src 9`;
  const status = "-t 3600 -u SEEN_REPLY,ASSURED";
  return `-A ${there} ${back} -p udp ${ports} --reply-port-dst ${port} ${status}\n`;
}

async function load(namespace: string, input: string): Promise<boolean> {
  const script = "cat | conntrack --load-file /dev/stdin";
  try {
    await runCommand("nsenter", [`--net=${namespace}`, "sh", "-c", script], { input });
    return true;
  } catch (error) {
    if (error instanceof OperationError && error.code === "ToolFailed") return false;
    throw error;
  }
}
