// Many short lists of unsigned 32-bit numbers in one typed array: a tiny typed array of its own
// costs 240 bytes, a list here 4 per number. Freed lists are reused by length.

import { assert } from "./assert.ts";

const INITIAL_WORDS = 1024;

export class Slab {
  #words = new Uint32Array(INITIAL_WORDS);
  #end = 0;
  /** Offsets of freed lists, by length. */
  readonly #free: number[][] = [];

  /** A list of `length` zeros; gives its offset. O(length). */
  allocate(length: number): number {
    const reused = this.#free[length]?.pop();
    if (reused !== undefined) {
      this.#words.fill(0, reused, reused + length);
      return reused;
    }
    const offset = this.#end;
    this.#end += length;
    if (this.#end > this.#words.length) this.#grow();
    return offset;
  }

  free(offset: number, length: number): void {
    assert(offset + length <= this.#end, "a freed list lies inside the slab");
    if (length > 0) (this.#free[length] ??= []).push(offset);
  }

  get(offset: number, index: number): number {
    return this.#words[offset + index] as number;
  }

  set(offset: number, index: number, value: number): void {
    this.#words[offset + index] = value;
  }

  #grow(): void {
    const words = new Uint32Array(Math.max(this.#end, Math.ceil(this.#words.length * 1.5)));
    words.set(this.#words);
    this.#words = words;
  }
}
