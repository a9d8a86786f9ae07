import { Gauge, type Registry } from "prom-client";
import type { Logger } from "../core/logger.ts";
import type { BreakerState } from "../resilience/breaker.ts";
import type { CacheCounters } from "../resilience/cached-tool.ts";
import type { UpstreamObserver } from "../resilience/upstream.ts";
import type { Meters } from "./metrics/meters.ts";

/**
 * Breakers that change their state, one line each; at level debug also retries and refused calls. All of
 * them are counted.
 */
export function watchUpstreams(log: Logger, { upstreams }: Meters): UpstreamObserver {
  return {
    stateChanged(upstream, state, cause) {
      upstreams.transitions.of(upstream, state).value++;
      if (state === "open") log.warn({ upstream, err: cause }, `${upstream} is failing: its breaker is open`);
      else if (state === "half_open")
        log.info({ upstream }, `${upstream} is tried again: its breaker is half open`);
      else log.info({ upstream }, `${upstream} works again: its breaker is closed`);
    },
    retried(upstream, attempt, waitMs) {
      upstreams.retries.of(upstream).value++;
      log.debug({ upstream, attempt, wait_ms: waitMs }, "Retry");
    },
    refused(upstream, reason) {
      if (reason === "retry_budget_spent") upstreams.budgetSpent.of(upstream).value++;
      else upstreams.rejected.of(upstream, reason).value++;
      log.debug({ upstream, reason }, "Call refused");
    },
  };
}

/** Something with a breaker. */
export interface Guarded {
  readonly name: string;
  readonly state: BreakerState;
}

const STATES: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

/** Each breaker's state, and that of the weather's once more, by the name that dashboards know. */
export function meterBreakers(registry: Registry, meters: Meters, upstreams: readonly Guarded[]): void {
  const { transitions, retries, budgetSpent, rejected } = meters.upstreams;
  for (const { name } of upstreams) {
    for (const state of Object.keys(STATES)) transitions.of(name, state);
    for (const reason of ["breaker_open", "bulkhead_full"]) rejected.of(name, reason);
    retries.of(name);
    budgetSpent.of(name);
  }
  const numbers = "0 closed, 1 half open, 2 open";
  const registers = [registry];
  new Gauge({
    name: "circuit_breaker_state",
    help: `The state of each breaker: ${numbers}`,
    labelNames: ["name"],
    registers,
    // Of several workers the worst counts.
    aggregator: "max",
    collect() {
      for (const { name, state } of upstreams) this.set({ name }, STATES[state]);
    },
  });
  new Gauge({
    name: "weather_circuit_state",
    help: `The state of the weather's breaker: ${numbers}`,
    registers,
    aggregator: "max",
    collect() {
      const weather = upstreams.find(({ name }) => name === "weather");
      this.set(STATES[weather?.state ?? "closed"]);
    },
  });
}

/** Look-ups of tools' results, each in the log at level debug, and counted. */
export function watchCaches(log: Logger, { caches }: Meters): CacheCounters {
  const count = (result: "hit" | "miss" | "stale") => (tool: string) => {
    caches.requests.of(tool, result).value++;
    log.debug({ tool, outcome: result }, "Cache");
  };
  return { hit: count("hit"), miss: count("miss"), stale: count("stale") };
}
