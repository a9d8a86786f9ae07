import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 20;
const LOOK_INTERVAL_MS = 500;

/**
 * Watches how long work waits for its turn in this process's one thread. When that is long for half of
 * all work, more of it would only make everyone wait longer.
 */
export class EventLoopMonitor {
  readonly #maxDelayMs: number;
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #timer: NodeJS.Timeout | undefined;
  #overloaded = false;

  /** @param maxDelayMs 0 for none. */
  constructor(maxDelayMs: number) {
    this.#maxDelayMs = maxDelayMs;
  }

  get overloaded(): boolean {
    return this.#overloaded;
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
    // The median: one long pause, such as a laptop's sleep, is no load. It counts from the last sample on.
    const medianMs = this.#delays.percentile(50) / 1e6 - RESOLUTION_MS;
    this.#overloaded = medianMs > this.#maxDelayMs;
    this.#delays.reset();
  }
}
