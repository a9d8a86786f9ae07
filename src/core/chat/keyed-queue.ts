import type { Clock } from "../clock.ts";
import { deadline } from "../deadline.ts";

export interface QueueLimits {
  /** How long a task may wait for its turn, in milliseconds, and the error when it is too long. */
  readonly waitMs: number;
  readonly onTimeout: () => Error;
  /** How many tasks may wait for one key, and the error for the next one. */
  readonly maxWaiting: number;
  readonly onFull: () => Error;
}

/** Runs the tasks of one key one after another, in the order they came; keys run side by side. */
export class KeyedQueue {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async run<T>(key: string, limits: QueueLimits, task: () => Promise<T>): Promise<T> {
    const waiting = this.#acquire(key, limits);
    if (waiting) await waiting;
    try {
      return await task();
    } finally {
      this.#release(key);
    }
  }

  /** Nothing to wait for where the key is free. */
  #acquire(key: string, limits: QueueLimits): Promise<void> | undefined {
    const waiting = this.#waiting.get(key);
    if (!waiting) {
      this.#waiting.set(key, new Set());
      return undefined;
    }
    if (waiting.size >= limits.maxWaiting) throw limits.onFull();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timeout = deadline(this.#clock, limits.waitMs, limits.onTimeout);
    const start = () => {
      timeout.clear();
      resolve();
    };
    timeout.signal.addEventListener("abort", () => {
      waiting.delete(start);
      reject(timeout.signal.reason);
    });
    waiting.add(start);
    return promise;
  }

  #release(key: string): void {
    const waiting = this.#waiting.get(key);
    const [next] = waiting ?? [];
    if (!next) {
      this.#waiting.delete(key);
      return;
    }
    waiting?.delete(next);
    next();
  }
}
