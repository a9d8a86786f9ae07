import { collectDefaultMetrics, Registry } from "prom-client";

/** Gauges that are named like counters; there are others with the same numbers by type. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

let metrics: Registry | undefined;

/** Node's own metrics in a registry of their own: a process has them once, whoever asks. */
export function processMetrics(): Registry {
  if (metrics) return metrics;
  metrics = new Registry();
  collectProcessMetrics(metrics);
  return metrics;
}

/** Puts Node's own into a registry: memory, garbage collection, the event loop. */
export function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
}
