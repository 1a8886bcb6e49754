// The process's two outputs: standard output for answers, standard error for everything else. Both
// are written synchronously, so that nothing is lost at exit and memory stays flat.

import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import type { Emit, Screen } from "../lib/screen.ts";
import { makeScreen } from "../lib/screen.ts";
import { UsageError } from "./command.ts";

export interface Terminal {
  /** How answers look: standard output's width, colours and characters. */
  readonly screen: Screen;
  /** Writes a piece of the answer. Dropped where nobody reads any more (`| head`). */
  readonly emit: Emit;
  /** How messages look. */
  readonly messages: Screen;
  /** Writes a message, as it is, to standard error. */
  readonly tell: Emit;
  /** True if a person watches standard error. */
  readonly watched: boolean;
  /** Writes what is still held back. */
  flush(): void;
}

type Environment = Readonly<Record<string, string | undefined>>;

const STDOUT = 1;
const STDERR = 2;
/** Lines of one list on a terminal before the rest is only counted. */
const LINES_MAX = 40;

/** The process's own outputs, as the environment and the terminals want them. */
export function openTerminal(environment: Environment): Terminal {
  const answers = new FileWriter(STDOUT);
  const messages = new FileWriter(STDERR);
  return {
    screen: screenOf(STDOUT, environment),
    emit: (text) => answers.write(text),
    messages: screenOf(STDERR, environment),
    tell(text) {
      answers.flush();
      messages.write(text);
      messages.flush();
    },
    watched: isatty(STDERR) && environment["TERM"] !== "dumb",
    flush: () => answers.flush(),
  };
}

function screenOf(fd: number, environment: Environment): Screen {
  const terminal = isatty(fd);
  const columns = terminal ? columnsOf(fd) : undefined;
  const linesMax = terminal ? LINES_MAX : Infinity;
  const unicode = speaksUtf8(environment);
  return makeScreen({ columns, linesMax, unicode, colour: wantsColour(terminal, environment) });
}

function columnsOf(fd: number): number | undefined {
  const { columns } = fd === STDOUT ? process.stdout : process.stderr;
  // A pseudo-terminal that was never given a size says 0.
  return columns > 0 ? columns : undefined;
}

/** What https://no-color.org and https://force-color.org ask for; forcing wins, as in Node. */
export function wantsColour(terminal: boolean, environment: Environment): boolean {
  const forced = environment["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  if ((environment["NO_COLOR"] ?? "") !== "") return false;
  return terminal && environment["TERM"] !== "dumb";
}

/** The locale that counts is the first that is set (POSIX, 8.2 Internationalization Variables). */
export function speaksUtf8(environment: Environment): boolean {
  const names = ["LC_ALL", "LC_CTYPE", "LANG"];
  const locale = names.map((name) => environment[name]).find((value) => value);
  return /utf-?8/i.test(locale ?? "");
}

/** UTF-16 units that are collected before they are written; each is at most 3 bytes of UTF-8. */
const CHUNK_UNITS = 64 * 1024;
const CHUNK_BYTES = 3 * CHUNK_UNITS;
/** How long to wait for the reader of a pipe that is full and does not block. */
const FULL_PIPE_MS = 1;

/** Collects text and writes it in chunks; after a broken pipe it drops everything. */
class FileWriter {
  readonly #fd: number;
  #bytes: Buffer | undefined;
  #text = "";
  #broken = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(text: string): void {
    if (this.#text.length + text.length > CHUNK_UNITS) this.flush();
    this.#text += text;
  }

  flush(): void {
    const text = this.#text;
    this.#text = "";
    if (text.length > CHUNK_UNITS) return this.#writeBytes(Buffer.from(text));
    this.#bytes ??= Buffer.allocUnsafe(CHUNK_BYTES);
    this.#writeBytes(this.#bytes.subarray(0, this.#bytes.write(text)));
  }

  #writeBytes(bytes: Buffer): void {
    let written = 0;
    while (written < bytes.length && !this.#broken) {
      try {
        written += writeSync(this.#fd, bytes, written);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === "EAGAIN") sleep(FULL_PIPE_MS);
        else this.#broken = true;
        if (this.#broken && code !== "EPIPE") throw new UsageError(`cannot write: ${message}`, "");
      }
    }
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
