import type { Allowance, RateLimit } from "../core/rate-limiter.ts";
import type { Metrics } from "../observability/metrics/merge.ts";
import type { Introduction } from "../start-up-lines.ts";

/** What workers ask of the primary, by name. All of it passes as JSON. */
export interface PrimaryCalls {
  /** Said once it serves. */
  ready(introduction: Introduction): void;
  /** Said when it ends by itself: another is to take its place. */
  leaving(reason: null): void;
  /** Counts a request against a limit that all workers share. */
  take(request: { readonly limit: RateLimit; readonly key: string }): Promise<Allowance>;
  /** The metrics of all workers in Prometheus' text format. */
  metricsPage(format: null): Promise<string>;
  /** What it has measured in all, said before it ends. */
  lastMetrics(metrics: Metrics): void;
}

/** What the primary asks of a worker. */
export interface WorkerCalls {
  /** See {@link App.stop}. */
  stop(reason: null): void;
  /** See {@link App.retire}. */
  retire(reason: null): void;
  metrics(format: null): Promise<Metrics>;
}
