import { type Aggregator, AggregatorRegistry, type Registry } from "prom-client";

/** What a process has measured, in a form that can be sent to another. */
export type Metrics = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** What several processes have measured, as if they were one. */
export function mergeMetrics(parts: readonly Metrics[]): Registry {
  return AggregatorRegistry.aggregate(
    parts.map((part) =>
      part.map((metric) => ({
        ...metric,
        aggregator: aggregatorOf(metric),
        // Between processes what is no number has become null.
        values: metric.values.filter(({ value }) => Number.isFinite(value)),
      })),
    ),
  );
}

/** The metrics that only grow: they stay true when their process has ended. */
export function cumulative(metrics: Metrics): Metrics {
  return metrics.filter(({ type }) => CUMULATIVE.has(String(type)));
}

const CUMULATIVE: ReadonlySet<string> = new Set(["counter", "histogram"]);

/** How a metric of each process becomes one of all; of Node's own not always as prom-client would have it. */
function aggregatorOf({ name, aggregator }: Metrics[number]): Aggregator {
  // One process that is late is not made up for by others that are not.
  if (name.startsWith("nodejs_eventloop_lag_") && aggregator === "average") return "max";
  if (name === "process_start_time_seconds") return "min";
  if (name === "process_max_fds") return "max";
  return aggregator;
}
