import { beforeEach, expect, test } from "@jest/globals";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Metrics } from "../../../src/observability/metrics/merge.ts";
import { type Measured, WorkerMetrics } from "../../../src/workers/metrics.ts";
import { readSamples } from "../../support/metrics.ts";

class MeasuredWorker implements Measured {
  readonly #registry = new Registry();
  readonly #ended = Promise.withResolvers<void>();
  readonly #turns = new Counter({ name: "turns_total", help: "h", registers: [this.#registry] });
  readonly #running = new Gauge({ name: "turns_running", help: "h", registers: [this.#registry] });
  readonly #seconds = new Histogram({
    name: "turn_seconds",
    help: "h",
    labelNames: ["outcome"],
    buckets: [1, 10],
    registers: [this.#registry],
  });
  readonly ended = this.#ended.promise;
  silent = false;

  constructor(
    readonly id: number,
    startTime: number,
    lag: number,
  ) {
    const registers = [this.#registry];
    new Gauge({ name: "process_start_time_seconds", help: "h", aggregator: "omit", registers }).set(
      startTime,
    );
    new Gauge({ name: "nodejs_eventloop_lag_p99_seconds", help: "h", aggregator: "average", registers }).set(
      lag,
    );
    new Gauge({ name: "circuit_breaker_state", help: "h", aggregator: "max", registers }).set(this.id % 2);
    new Gauge({ name: "nodejs_eventloop_lag_mean_seconds", help: "h", registers }).set(Number.NaN);
  }

  /** A turn that is over, and one that runs. */
  work(): this {
    this.#turns.inc();
    this.#seconds.observe({ outcome: "completed" }, 5);
    this.#running.inc();
    return this;
  }

  async metrics(): Promise<Metrics> {
    if (this.silent) throw new Error("No answer");
    return JSON.parse(JSON.stringify(await this.#registry.getMetricsAsJSON()));
  }

  end(): Promise<void> {
    this.#ended.resolve();
    return this.#ended.promise;
  }
}

let metrics: WorkerMetrics;
let workers: [MeasuredWorker, MeasuredWorker];

beforeEach(() => {
  metrics = new WorkerMetrics({ primary: new Registry(), pool: { serving: 2, deaths: 1 } });
  workers = [new MeasuredWorker(1, 2_000, 0.5), new MeasuredWorker(2, 1_000, 0.1)];
  for (const worker of workers) metrics.add(worker.work().work());
});

const read = async () => readSamples(await metrics.page());

test("what workers count is added up, and of what can't be added the worst or the oldest is told", async () => {
  const samples = await read();
  expect(Object.fromEntries(samples)).toMatchObject({
    turns_total: 4,
    turns_running: 4,
    'turn_seconds_bucket{le="1",outcome="completed"}': 0,
    'turn_seconds_bucket{le="10",outcome="completed"}': 4,
    'turn_seconds_bucket{le="+Inf",outcome="completed"}': 4,
    'turn_seconds_sum{outcome="completed"}': 20,
    'turn_seconds_count{outcome="completed"}': 4,
    process_start_time_seconds: 1_000,
    nodejs_eventloop_lag_p99_seconds: 0.5,
    circuit_breaker_state: 1,
    workers_serving: 2,
    worker_deaths_total: 1,
    worker_metrics_missed_total: 0,
  });
  // Neither has one.
  expect(samples.has("nodejs_eventloop_lag_mean_seconds")).toBe(false);
});

test("a worker that does not answer is counted, and what it counted before is not lost", async () => {
  await read();
  const [first] = workers;
  first.silent = true;
  const samples = await read();
  expect(samples.get("worker_metrics_missed_total")).toBe(1);
  expect(samples.get("turns_total")).toBe(4);
  expect(samples.get("turns_running")).toBe(2);
  expect((await read()).get("worker_metrics_missed_total")).toBe(2);
});

test("what ended workers have counted goes on counting, once each, and what they had at work does not", async () => {
  await read();
  const [first, second] = workers;
  await first.end();
  expect((await read()).get("turns_total")).toBe(4);
  // Its last words: what it has done since it was asked.
  metrics.told(second, await second.work().metrics());
  await second.end();
  const successor = new MeasuredWorker(3, 3_000, 0);
  metrics.add(successor.work());
  const samples = await read();
  expect(samples.get("turns_total")).toBe(6);
  expect(samples.get('turn_seconds_count{outcome="completed"}')).toBe(6);
  expect(samples.get("turns_running")).toBe(1);
});

test("a worker that ends while others are asked counts once", async () => {
  const [first, second] = workers;
  const held = Promise.withResolvers<void>();
  const metricsOf = second.metrics.bind(second);
  second.metrics = () => held.promise.then(metricsOf);
  const page = read();
  await new Promise(setImmediate);
  await first.end();
  await new Promise(setImmediate);
  held.resolve();
  expect((await page).get("turns_total")).toBe(4);
});

test("those who ask at the same time cost the workers one question", async () => {
  const pages = await Promise.all([metrics.page(), metrics.page()]);
  expect(pages[0]).toBe(pages[1]);
});
