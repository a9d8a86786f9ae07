import type { Logger } from "../core/logger.ts";
import type { UpstreamObserver } from "../resilience/upstream.ts";

/** Breakers that change their state, one line each; at level debug also retries and refused calls. */
export function logUpstreams(log: Logger): UpstreamObserver {
  return {
    stateChanged(upstream, state, cause) {
      if (state === "open") log.warn({ upstream, err: cause }, `${upstream} is failing: its breaker is open`);
      else if (state === "half_open")
        log.info({ upstream }, `${upstream} is tried again: its breaker is half open`);
      else log.info({ upstream }, `${upstream} works again: its breaker is closed`);
    },
    retried: (upstream, attempt, waitMs) => log.debug({ upstream, attempt, waitMs }, "Retry"),
    refused: (upstream, reason) => log.debug({ upstream, reason }, "Call refused"),
  };
}
