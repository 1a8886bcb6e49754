// How long to wait before the next try: twice as long each time up to a limit, and never quite as
// long as anybody else, so that a thousand nodes do not come back at one moment.

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #nextMs: number;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#nextMs = options.firstMs;
  }

  /** Something went well. */
  reset(): void {
    this.#nextMs = this.#options.firstMs;
  }

  /** Between half and the whole of what the number of tries asks for. */
  next(): number {
    const { maxMs, random } = this.#options;
    const delayMs = this.#nextMs * (0.5 + random() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, maxMs);
    return delayMs;
  }
}
