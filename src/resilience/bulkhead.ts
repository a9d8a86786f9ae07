export interface BulkheadLimits {
  /** Calls at work at the same time. */
  readonly maxConcurrent: number;
  /** Calls that wait for a place. */
  readonly maxWaiting: number;
}

/** Gives the place back; to be called once. */
export type Leave = () => void;

/** Of the places, so many are left to calls that matter more. */
const SHARE_FOR_SPARE_CALLS = 1 / 2;

/** Bounds what one upstream can hold of this process: calls in the order they came, a few at a time. */
export class Bulkhead {
  readonly #limits: BulkheadLimits;
  /** In the order they came. */
  readonly #waiting = new Set<() => void>();
  #active = 0;

  constructor(limits: BulkheadLimits) {
    this.#limits = limits;
  }

  /**
   * A place, as soon as there is one: at once where one is free.
   *
   * @returns undefined when too many wait already.
   * @throws the signal's reason when it aborts first.
   */
  enter(signal: AbortSignal): Leave | undefined | Promise<Leave> {
    signal.throwIfAborted();
    if (this.#active < this.#limits.maxConcurrent) return this.#take();
    if (this.#waiting.size >= this.#limits.maxWaiting) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<Leave>();
    const turn = () => {
      signal.removeEventListener("abort", giveUp);
      resolve(this.#take());
    };
    const giveUp = () => {
      this.#waiting.delete(turn);
      reject(signal.reason);
    };
    this.#waiting.add(turn);
    signal.addEventListener("abort", giveUp, { once: true });
    return promise;
  }

  /** A place for a call that can be done without: at once, and only where it is in nobody's way. */
  enterIfQuiet(): Leave | undefined {
    return this.#active < this.#limits.maxConcurrent * SHARE_FOR_SPARE_CALLS ? this.#take() : undefined;
  }

  #take(): Leave {
    this.#active += 1;
    return () => {
      this.#active -= 1;
      const [next] = this.#waiting;
      if (!next) return;
      this.#waiting.delete(next);
      next();
    };
  }
}
