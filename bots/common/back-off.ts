import { setTimeout as sleep } from "node:timers/promises";

/** How long to wait between tries, in milliseconds: at first, doubling, and at most. */
export interface Pace {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** The waits between the tries of one thing: each twice as long as the one before, give or take a half. */
export class BackOff {
  readonly #pace: Pace;
  readonly #signal: AbortSignal;
  #nextMs: number;

  /** @param signal ends a wait: it then rejects. */
  constructor(pace: Pace, signal: AbortSignal) {
    this.#pace = pace;
    this.#signal = signal;
    this.#nextMs = pace.firstMs;
  }

  /** @param atLeastMs what the other side asked for. */
  async wait(atLeastMs = 0): Promise<void> {
    const ms = Math.max(atLeastMs, this.#nextMs * (0.5 + Math.random()));
    this.#nextMs = Math.min(this.#nextMs * 2, this.#pace.maxMs);
    await sleep(ms, undefined, { signal: this.#signal });
  }

  /** After a success: the next wait is short again. */
  reset(): void {
    this.#nextMs = this.#pace.firstMs;
  }
}
