export interface InboxOptions<Event> {
  /** Unique among the events, and the same when one is delivered again. */
  readonly idOf: (event: Event) => number | string;
  /** Events of one lane are handled one after another, in the order they came; lanes run side by side. */
  readonly laneOf: (event: Event) => string;
  /** Rejects only for an event that must be delivered again. */
  readonly handle: (event: Event) => Promise<void>;
}

/** Events that were handled are remembered for a while: a delivery may cross its confirmation. */
const REMEMBERED = 10_000;

/** Handles each event once in this process, however often and from wherever it is delivered. */
export class Inbox<Event> {
  readonly #options: InboxOptions<Event>;
  readonly #working = new Map<number | string, Promise<void>>();
  /** In the order they were handled: a set keeps the order of insertion. */
  readonly #handled = new Set<number | string>();
  readonly #lanes = new Map<string, Promise<void>>();
  #closed = false;

  constructor(options: InboxOptions<Event>) {
    this.#options = options;
  }

  /** Events that are waiting or at work. */
  get size(): number {
    return this.#working.size;
  }

  /** Resolves once the event was handled, by this delivery or an earlier one. */
  take(event: Event): Promise<void> {
    const id = this.#options.idOf(event);
    if (this.#handled.has(id)) return Promise.resolve();
    const known = this.#working.get(id);
    if (known) return known;
    const work = this.#inLane(event).then(
      () => {
        this.#working.delete(id);
        this.#remember(id);
      },
      (error) => {
        this.#working.delete(id);
        throw error;
      },
    );
    this.#working.set(id, work);
    return work;
  }

  /** Begins no more events; resolves when those at work have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#working.values());
  }

  async #inLane(event: Event): Promise<void> {
    const { laneOf, handle } = this.#options;
    const lane = laneOf(event);
    const before = this.#lanes.get(lane);
    const work = (async () => {
      // An event that is left undone holds back those behind it, or they would overtake it.
      await before;
      if (this.#closed) throw new Error("The bot is stopping");
      await handle(event);
    })();
    this.#lanes.set(lane, work);
    try {
      await work;
    } finally {
      if (this.#lanes.get(lane) === work) this.#lanes.delete(lane);
    }
  }

  #remember(id: number | string): void {
    this.#handled.add(id);
    for (const oldest of this.#handled) {
      if (this.#handled.size <= REMEMBERED) return;
      this.#handled.delete(oldest);
    }
  }
}
