import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 20;
const LOOK_INTERVAL_MS = 500;

/**
 * Watches how long work waits for its turn in this process's one thread. When that is long for half of
 * all work, twice in a row, more of it would only make everyone wait longer.
 */
export class EventLoopMonitor {
  readonly #maxDelayMs: number;
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #timer: NodeJS.Timeout | undefined;
  #slowLooks = 0;

  /** @param maxDelayMs 0 for none. */
  constructor(maxDelayMs: number) {
    this.#maxDelayMs = maxDelayMs;
  }

  get overloaded(): boolean {
    return this.#slowLooks >= 2;
  }

  start(): void {
    if (this.#maxDelayMs === 0) return;
    this.#delays.enable();
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#delays.disable();
  }

  #look(): void {
    // The median, and twice: one long pause, as when much code is run for the first time, is no load.
    const medianMs = this.#delays.percentile(50) / 1e6 - RESOLUTION_MS;
    this.#slowLooks = medianMs > this.#maxDelayMs ? this.#slowLooks + 1 : 0;
    this.#delays.reset();
  }
}
