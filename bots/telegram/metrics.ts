import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { collectProcessMetrics } from "../../src/observability/metrics/process-metrics.ts";

export type Metrics = ReturnType<typeof createMetrics>;

/** @param inWork tells how many updates are waiting or at work. */
export function createMetrics(inWork: () => number) {
  const registry = new Registry();
  const registers = [registry];
  collectProcessMetrics(registry);
  new Gauge({
    name: "parley_bot_updates_in_work",
    help: "Updates that wait or are at work",
    registers,
    collect() {
      this.set(inWork());
    },
  });
  return {
    registry,
    updates: new Counter({
      name: "parley_bot_updates_total",
      help: "Updates that asked for an answer, by how that ended",
      labelNames: ["outcome"],
      registers,
    }),
    turns: new Histogram({
      name: "parley_bot_reply_seconds",
      help: "How long the server took to reply, with all waiting for it",
      buckets: [0.1, 0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320],
      registers,
    }),
    serverFailures: new Counter({
      name: "parley_bot_server_failures_total",
      help: "Calls of the server that failed: it was away, or could not answer",
      labelNames: ["trouble"],
      registers,
    }),
    telegramFailures: new Counter({
      name: "parley_bot_telegram_failures_total",
      help: "Calls of the Bot API that failed, by error code; 0 is no answer",
      labelNames: ["method", "code"],
      registers,
    }),
  };
}
