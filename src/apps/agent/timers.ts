// What an agent does later, and again and again, until it is closed.

export class Timers {
  readonly #intervals: NodeJS.Timeout[] = [];
  readonly #alarms = new Map<string, NodeJS.Timeout>();

  every(periodMs: number, act: () => void): void {
    this.#intervals.push(setInterval(act, periodMs));
  }

  /** Once; takes the place of what was to be done under this name. */
  later(name: string, delayMs: number, act: () => void): void {
    clearTimeout(this.#alarms.get(name));
    const alarm = setTimeout(() => {
      this.#alarms.delete(name);
      act();
    }, Math.max(0, delayMs));
    this.#alarms.set(name, alarm);
  }

  close(): void {
    for (const timer of [...this.#intervals, ...this.#alarms.values()]) clearTimeout(timer);
  }
}
