import type { Worker } from "node:cluster";
import { AppError } from "../core/errors.ts";
import type { Allowance, RateLimit } from "../core/rate-limiter.ts";
import type { Metrics } from "../observability/metrics/merge.ts";
import type { Introduction } from "../start-up-lines.ts";
import { Channel } from "./channel.ts";
import type { PrimaryCalls, WorkerCalls } from "./protocol.ts";

/** How long the primary may take to count a request, in milliseconds. */
const TAKE_MS = 1_000;
/** How long it may take to hear all workers, in milliseconds. */
const METRICS_MS = 5_000;
/** How long it may take to hear that this worker serves, in milliseconds. */
const READY_MS = 30_000;
/** How long it may take to hear what is told to it, in milliseconds. */
const TELL_MS = 2_000;

/** What a worker shares with the others, by way of the process that has started them all. */
export interface Primary {
  /** Whether this is the first worker since the server's start: it alone changes the embedded store's schema. */
  readonly isFirst: boolean;
  /** Counts a request. @throws Error when the primary does not answer in time. */
  take(limit: RateLimit, key: string): Promise<Allowance>;
  /** The metrics of all workers in Prometheus' text format. @throws AppError `unavailable` */
  metricsPage(): Promise<string>;
}

/** A worker's end of its connection to the primary. */
export class PrimaryLink implements Primary {
  readonly isFirst: boolean;
  readonly #channel: Channel<PrimaryCalls>;

  /** @param calls what the primary may ask of this worker. */
  constructor(worker: Worker, calls: WorkerCalls) {
    this.isFirst = worker.id === 1;
    this.#channel = new Channel((message, done) => worker.send(message, done), { ...calls });
    worker.on("message", (message) => this.#channel.receive(message));
  }

  take(limit: RateLimit, key: string): Promise<Allowance> {
    return this.#channel.ask("take", { limit, key }, TAKE_MS);
  }

  async metricsPage(): Promise<string> {
    try {
      return await this.#channel.ask("metricsPage", null, METRICS_MS);
    } catch (cause) {
      const message = "The metrics of all workers can't be had right now. Try again in a moment.";
      throw new AppError("unavailable", message, { cause });
    }
  }

  ready({ url, about }: Introduction): Promise<void> {
    return this.#channel.ask("ready", { url, about }, READY_MS);
  }

  /** Asks for another worker in the place of this one, and does not wait for it. */
  leave(): void {
    this.#channel.ask("leaving", null, TELL_MS).catch(() => undefined);
  }

  /** Leaves what was measured behind. */
  async bequeath(metrics: Metrics): Promise<void> {
    await this.#channel.ask("lastMetrics", metrics, TELL_MS).catch(() => undefined);
  }
}
