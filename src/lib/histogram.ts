// How values are spread: how many were at most so large, as Prometheus counts them.

export interface HistogramCounts {
  /** In ascending order; each counts the values of those before it too. */
  readonly buckets: readonly { readonly atMost: number; readonly count: number }[];
  readonly count: number;
  readonly sum: number;
}

export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  /** `bounds` in ascending order. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  add(value: number): void {
    this.#count++;
    this.#sum += value;
    for (const [i, bound] of this.#bounds.entries()) {
      if (value <= bound) this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    }
  }

  counts(): HistogramCounts {
    const buckets = this.#bounds.map((atMost, i) => ({ atMost, count: this.#counts[i] ?? 0 }));
    return { buckets, count: this.#count, sum: this.#sum };
  }
}
