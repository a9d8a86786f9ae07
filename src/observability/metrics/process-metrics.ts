import { collectDefaultMetrics, Registry } from "prom-client";

/** Gauges that are named like counters; there are others with the same numbers by type. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

let metrics: Registry | undefined;

/** Node's own: memory, garbage collection, the event loop. A process has them once, whoever asks. */
export function processMetrics(): Registry {
  if (metrics) return metrics;
  metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  for (const name of MISNAMED) metrics.removeSingleMetric(name);
  return metrics;
}
