// The one shape in which facts travel: a key and its value now; `undefined` means gone.

export interface Change<K, V> {
  readonly key: K;
  readonly value: V | undefined;
}

/** Values as they were before a turn, so that its end can tell real differences. */
export class Before<K, V> {
  #values = new Map<K, V | undefined>();

  /** Called before every mutation; only the first one of a turn counts. */
  note(key: K, value: (key: K) => V | undefined): void {
    if (!this.#values.has(key)) this.#values.set(key, value(key));
  }

  has(key: K): boolean {
    return this.#values.has(key);
  }

  get size(): number {
    return this.#values.size;
  }

  forget(key: K): void {
    this.#values.delete(key);
  }

  /** Ends the turn: the keys whose value differs now. */
  take(now: (key: K) => V | undefined, same: (a: V, b: V) => boolean): Change<K, V>[] {
    const changes: Change<K, V>[] = [];
    for (const [key, old] of this.#values) {
      const value = now(key);
      if (old === value) continue;
      if (old !== undefined && value !== undefined && same(old, value)) continue;
      changes.push({ key, value });
    }
    this.#values = new Map();
    return changes;
  }
}
