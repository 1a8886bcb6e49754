// The test's hand on a peer (program.ts) that runs in a namespace of a lab.

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LabPlace } from "../../../src/apps/lab/place.ts";
import type { Command, Flood, FlowReport, FlowSpec } from "./wire.ts";

const PROGRAM = fileURLToPath(new URL("program.ts", import.meta.url));
/** Long, because the machine may be busy with others; who is right answers at once. */
const WITHIN_MS = 20_000;

export class Peer {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (value: unknown) => void>();
  readonly #closed: Promise<never>;
  #last = 0;

  /** Starts one in the namespace of a member of the lab; it ends with the lab, or with us. */
  constructor(place: LabPlace, member: string) {
    const command = [`--net=${place.path(member)}`, process.execPath, PROGRAM];
    this.#child = spawn("nsenter", command, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdin?.on("error", () => undefined);
    this.#closed = new Promise((_, reject) =>
      this.#child.once("close", () => reject(new Error(`the peer in ${member} has ended`))),
    );
    this.#closed.catch(() => undefined);
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => {
      const { id, value } = JSON.parse(line) as { id: number; value: unknown };
      this.#waiting.get(id)?.(value);
      this.#waiting.delete(id);
    });
  }

  /** Ends; its flows break. */
  end(): void {
    this.#child.stdin?.end();
  }

  /** Waits for TCP and UDP on these addresses. */
  async listen(addresses: readonly string[], port: number): Promise<void> {
    await this.#tell({ do: "listen", addresses, port });
  }

  /** Opens flows, each of which asks once; what came of them. */
  open(flows: readonly FlowSpec[], withinMs = WITHIN_MS): Promise<FlowReport[]> {
    return this.#tell({ do: "open", flows }, withinMs) as Promise<FlowReport[]>;
  }

  /** Each flow asks once, with so many bytes at least; what came of them. */
  ask(
    names: readonly string[] | undefined,
    { size = 0, withinMs = WITHIN_MS }: { readonly size?: number; readonly withinMs?: number } = {},
  ): Promise<FlowReport[]> {
    return this.#tell({ do: "ask", names, size }, withinMs) as Promise<FlowReport[]>;
  }

  /** Each flow asks again and again, until `hush`. */
  async talk(names: readonly string[], intervalMs: number): Promise<void> {
    await this.#tell({ do: "talk", names, intervalMs });
  }

  /** Ends `talk` and waits for what is on its way; what came of its flows. */
  hush(): Promise<FlowReport[]> {
    return this.#tell({ do: "hush" }) as Promise<FlowReport[]>;
  }

  /** For each flow the sources that it was heard from, `ADDRESS PORT`, in order. */
  heard(names: readonly string[]): Promise<string[][]> {
    return this.#tell({ do: "heard", names }) as Promise<string[][]>;
  }

  /** Closes flows, or resets them, which only TCP knows. */
  async finish(names: readonly string[] | undefined, how: "close" | "reset" = "close") {
    await this.#tell({ do: "end", names, how });
  }

  /** Sends one datagram in each of many flows; how many went. */
  flood(flood: Flood, withinMs: number): Promise<number> {
    return this.#tell({ do: "flood", flood }, withinMs) as Promise<number>;
  }

  #tell(command: Command, withinMs = WITHIN_MS): Promise<unknown> {
    const id = ++this.#last;
    const answer = new Promise<unknown>((resolve) => this.#waiting.set(id, resolve));
    this.#child.stdin?.write(`${JSON.stringify({ id, withinMs, command })}\n`);
    return Promise.race([answer, this.#closed]);
  }
}
