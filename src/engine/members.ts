// The endpoints of one policy, in the order of rule 5.4: a packed, sorted list of slots. Inserting
// at the front of 10,000 moves 40 KB and costs a microsecond, so no tree is needed.

/** Orders two slots by their endpoints. */
export type SlotOrder = (a: number, b: number) => number;

const INITIAL_SLOTS = 8;
/** Up to this many insertions are made one by one; more are merged in one pass. */
const SINGLE_INSERTS_MAX = 8;

export class Members {
  #slots = new Uint32Array(INITIAL_SLOTS);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  at(place: number): number {
    return this.#slots[place] as number;
  }

  /** The place of `slot`, or where it would be inserted. O(log n). */
  place(slot: number, order: SlotOrder): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order(this.#slots[middle] as number, slot) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Removes the slot at `place`. */
  removeAt(place: number): void {
    this.#slots.copyWithin(place, place + 1, this.#length);
    this.#length--;
    // Shrinks after bursts; the factor of four keeps growing and shrinking apart.
    if (this.#length > INITIAL_SLOTS && this.#length * 4 < this.#slots.length) {
      this.#slots = this.#slots.slice(0, this.#length * 2);
    }
  }

  /**
   * Inserts slots that are sorted and not members yet; gives the first place that changed.
   * O(log n) each for a few, one merge for many.
   */
  insert(sorted: readonly number[], order: SlotOrder): number {
    const first = this.place(sorted[0] as number, order);
    this.#reserve(this.#length + sorted.length);
    if (sorted.length <= SINGLE_INSERTS_MAX) {
      for (const slot of sorted) this.#insertOne(slot, order);
    } else {
      this.#merge(sorted, order);
    }
    return first;
  }

  #insertOne(slot: number, order: SlotOrder): void {
    const place = this.place(slot, order);
    this.#slots.copyWithin(place + 1, place, this.#length);
    this.#slots[place] = slot;
    this.#length++;
  }

  /** Merges from the back, in place. */
  #merge(sorted: readonly number[], order: SlotOrder): void {
    let old = this.#length - 1;
    let incoming = sorted.length - 1;
    this.#length += sorted.length;
    for (let to = this.#length - 1; incoming >= 0; to--) {
      const slot = sorted[incoming] as number;
      if (old >= 0 && order(this.#slots[old] as number, slot) > 0) {
        this.#slots[to] = this.#slots[old--] as number;
      } else {
        this.#slots[to] = slot;
        incoming--;
      }
    }
  }

  #reserve(length: number): void {
    if (length <= this.#slots.length) return;
    const slots = new Uint32Array(Math.max(length, Math.ceil(this.#slots.length * 1.5)));
    slots.set(this.#slots.subarray(0, this.#length));
    this.#slots = slots;
  }
}
