// What the JSON and YAML readers have in common: whom they deliver to, and how they hold bytes.

import { isUtf8 } from "node:buffer";
import type { Place } from "./input-error.ts";
import { inputErrorAt } from "./input-error.ts";

/** Takes what a reader found, in the order of the text. Lines count from 1. */
export interface ValueSink {
  /** A whole document. */
  value(value: unknown, line: number): void;
  /**
   * A document with `items` begins; `head` is what was read of it so far. True: its items come one
   * by one, then `endList`. False: it comes whole, as a value.
   */
  beginList(head: unknown): boolean;
  item(value: unknown, line: number): void;
  /** The list ends; `head` is all of it but the items. */
  endList(head: unknown, line: number): void;
}

/** The largest document, or item of a list, that is read: one string holds 537M characters. */
export const VALUE_BYTES_MAX = 64 * 2 ** 20;

/** The bytes of a stream that are still needed, in one piece. Each byte is copied O(1) times. */
export class ByteWindow {
  #held = Buffer.alloc(0);
  #length = 0;

  /** Everything still held, followed by `chunk`. Valid until the next call. */
  extend(chunk: Uint8Array): Buffer {
    if (this.#length === 0) {
      return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    const length = this.#length + chunk.byteLength;
    if (length > this.#held.byteLength) {
      const larger = Buffer.allocUnsafe(length * 2);
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    this.#held.set(chunk, this.#length);
    this.#length = length;
    return this.#held.subarray(0, length);
  }

  /** Holds on to what `bytes`, the last extension, has from `from` on. */
  keep(bytes: Buffer, from: number): void {
    const length = bytes.byteLength - from;
    if (length > this.#held.byteLength) this.#held = Buffer.allocUnsafe(length * 2);
    bytes.copy(this.#held, 0, from);
    this.#length = length;
  }
}

/** The text of some bytes. */
export function decode(bytes: Buffer, at: Place): string {
  if (!isUtf8(bytes)) throw inputErrorAt(at, "the text is not UTF-8; save it as UTF-8");
  return bytes.toString("utf8");
}

/** Refuses a document, or item of a list, that is too large to be one object. */
export function checkLength(length: number, at: Place): void {
  if (length <= VALUE_BYTES_MAX) return;
  const remedy = "write long lists as `kubectl get -o json` or `-o yaml` does";
  const limit = `${VALUE_BYTES_MAX / 2 ** 20} MiB`;
  throw inputErrorAt(at, `a single object of more than ${limit} begins here; ${remedy}`);
}
