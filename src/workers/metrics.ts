import { Counter, Gauge, Registry } from "prom-client";
import { cumulative, type Metrics, mergeMetrics } from "../observability/metrics/merge.ts";

/** How long a worker may take to say what it has measured, in milliseconds. */
const ANSWER_MS = 2_000;

/** A worker that can be asked. */
export interface Measured {
  readonly id: number;
  readonly ended: Promise<unknown>;
  /** @throws Error when it does not answer within `timeoutMs`. */
  metrics(timeoutMs: number): Promise<Metrics>;
}

export interface WorkerMetricsOptions {
  /** What the primary has measured of itself. */
  readonly primary: Registry;
  readonly pool: { readonly serving: number; readonly deaths: number };
}

/**
 * The metrics of all workers, as those of one server. What only grows never shrinks: of a worker that has
 * ended or does not answer the last that it told goes on counting, or Prometheus would take the missing
 * part for a restart and everything that is left for new.
 */
export class WorkerMetrics {
  readonly #workers = new Set<Measured>();
  readonly #told = new Map<Measured, Metrics>();
  /** Of those who have ended, in one. */
  #left: Promise<Metrics> = Promise.resolve([]);
  readonly #own = new Registry();
  readonly #missed: Counter;
  readonly #primary: Registry;
  #gathering: Promise<string> | undefined;

  constructor({ primary, pool }: WorkerMetricsOptions) {
    this.#primary = primary;
    const registers = [this.#own];
    new Gauge({
      name: "workers_serving",
      help: "Worker processes that serve",
      registers,
      collect() {
        this.set(pool.serving);
      },
    });
    new Counter({
      name: "worker_deaths_total",
      help: "Worker processes that have ended by themselves",
      registers,
      collect() {
        this.reset();
        this.inc(pool.deaths);
      },
    });
    this.#missed = new Counter({
      name: "worker_metrics_missed_total",
      help: "How often a worker did not tell its metrics in time",
      registers,
    });
  }

  /** From now on it is asked, until it ends. */
  add(worker: Measured): void {
    this.#workers.add(worker);
    void worker.ended.then(() => {
      this.#workers.delete(worker);
      const last = this.#told.get(worker);
      this.#told.delete(worker);
      if (last) this.#bury(last);
    });
  }

  /** Keeps what a worker has told, in case that it is its last word. */
  told(worker: Measured, metrics: Metrics): void {
    this.#told.set(worker, metrics);
  }

  /** In Prometheus' text format. Those who ask at the same time get the same. */
  page(): Promise<string> {
    this.#gathering ??= this.#gather().finally(() => {
      this.#gathering = undefined;
    });
    return this.#gathering;
  }

  async #gather(): Promise<string> {
    const fresh = new Set<Measured>();
    const ask = async (worker: Measured) => {
      try {
        this.told(worker, await worker.metrics(ANSWER_MS));
        fresh.add(worker);
      } catch {
        if (this.#workers.has(worker)) this.#missed.inc();
      }
    };
    await Promise.all([...this.#workers].map(ask));
    const parts = [...this.#told].map(([worker, metrics]) =>
      fresh.has(worker) ? metrics : cumulative(metrics),
    );
    // Of the same moment, so that a worker that ends now counts once.
    const left = this.#left;
    const own = await Promise.all([this.#primary.getMetricsAsJSON(), this.#own.getMetricsAsJSON()]);
    return mergeMetrics([...parts, ...own, await left]).metrics();
  }

  #bury(last: Metrics): void {
    this.#left = this.#left.then((left) => mergeMetrics([left, cumulative(last)]).getMetricsAsJSON());
  }
}
