// A hash table over packed keys of one size: finds the place of a key among many without an object
// per key. Open addressing with linear probing, at most half full.

import { assert } from "./assert.ts";

const CAPACITY_MIN = 16;

/** Keys are numbered from 0 in the order in which they were added. */
export class KeyTable {
  /** Bytes of a key, a multiple of 4. */
  readonly keySize: number;
  readonly #words: number;
  #keys: Uint32Array;
  /** Number of the key in each bucket, plus one; 0: free. */
  #buckets: Uint32Array;
  #size = 0;
  /** The keys asked for last, as words: making such a view costs more than a look-up. */
  #asked: Uint8Array = new Uint8Array();
  #askedWords: Uint32Array = new Uint32Array();

  constructor(keySize: number, sizeHint = 0) {
    assert(keySize > 0 && keySize % 4 === 0, "keys are whole 32-bit words");
    this.keySize = keySize;
    this.#words = keySize / 4;
    let capacity = CAPACITY_MIN;
    while (capacity < sizeHint * 2) capacity *= 2;
    this.#buckets = new Uint32Array(capacity);
    this.#keys = new Uint32Array((capacity / 2) * this.#words);
  }

  get size(): number {
    return this.#size;
  }

  /** Every key, packed, in order; valid until the next `add`. */
  get keys(): Uint8Array {
    return new Uint8Array(this.#keys.buffer, 0, this.#size * this.keySize);
  }

  /** The number of key `index` of `keys`, or -1. */
  find(keys: Uint8Array, index: number): number {
    const words = this.#wordsOf(keys);
    return (this.#buckets[this.#probe(words, index * this.#words)] as number) - 1;
  }

  /** Adds key `index` of `keys`; false: it was there. */
  add(keys: Uint8Array, index: number): boolean {
    const words = this.#wordsOf(keys);
    const at = index * this.#words;
    if (this.#buckets[this.#probe(words, at)] !== 0) return false;
    if ((this.#size + 1) * 2 > this.#buckets.length) this.#grow();
    const target = this.#size * this.#words;
    for (let i = 0; i < this.#words; i++) this.#keys[target + i] = words[at + i] as number;
    this.#buckets[this.#probe(words, at)] = ++this.#size;
    return true;
  }

  #wordsOf(keys: Uint8Array): Uint32Array {
    if (keys !== this.#asked) {
      this.#asked = keys;
      this.#askedWords = new Uint32Array(keys.buffer, keys.byteOffset, keys.byteLength / 4);
    }
    return this.#askedWords;
  }

  /** The bucket that holds the key, or the free one where it belongs. */
  #probe(words: Uint32Array, at: number): number {
    const mask = this.#buckets.length - 1;
    let bucket = hash(words, at, this.#words) & mask;
    for (;;) {
      const number = this.#buckets[bucket] as number;
      if (number === 0 || this.#equal((number - 1) * this.#words, words, at)) return bucket;
      bucket = (bucket + 1) & mask;
    }
  }

  #equal(mine: number, words: Uint32Array, at: number): boolean {
    for (let i = 0; i < this.#words; i++) {
      if (this.#keys[mine + i] !== words[at + i]) return false;
    }
    return true;
  }

  #grow(): void {
    const old = this.#keys;
    this.#buckets = new Uint32Array(this.#buckets.length * 2);
    this.#keys = new Uint32Array(old.length * 2);
    this.#keys.set(old);
    for (let number = 0; number < this.#size; number++) {
      this.#buckets[this.#probe(this.#keys, number * this.#words)] = number + 1;
    }
  }
}

/** MurmurHash3's block step and finaliser over whole words. */
function hash(words: Uint32Array, at: number, count: number): number {
  let h = 0;
  for (let i = 0; i < count; i++) {
    const k = Math.imul(words[at + i] as number, 0xcc9e2d51);
    h ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
