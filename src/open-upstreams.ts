import type { Config } from "./config.ts";
import type { Clock } from "./core/clock.ts";
import type { BulkheadLimits } from "./resilience/bulkhead.ts";
import { classifyHttpError } from "./resilience/resilient-http.ts";
import { classifyModelError } from "./resilience/resilient-model.ts";
import { Upstream, type UpstreamObserver, type UpstreamOptions } from "./resilience/upstream.ts";
import { type Dependency, NotOk } from "./transport/health.ts";

type UpstreamName = "model:openai" | "weather" | "calendar";

/**
 * Time-outs of one GET, in milliseconds. A tool has nine seconds: the weather needs two requests, each
 * with room for a second attempt; a feed is one, which may be long.
 */
const WEATHER_TIMEOUT_MS = 4_000;
const CALENDAR_TIMEOUT_MS = 8_000;
const TOOL_LIMITS: BulkheadLimits = { maxConcurrent: 32, maxWaiting: 256 };

/** The services outside that are in use, each with limits and a breaker of its own. */
export class Upstreams {
  /** For GET /ready: without one of them the server is degraded, not down. */
  readonly dependencies: Dependency[] = [];
  /** Those that were opened. */
  readonly all: Upstream[] = [];
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #observer: UpstreamObserver;

  constructor(config: Config, clock: Clock, observer: UpstreamObserver) {
    this.#config = config;
    this.#clock = clock;
    this.#observer = observer;
  }

  open(name: UpstreamName): Upstream {
    const config = this.#config;
    const upstream = new Upstream({
      name,
      ...ownOptions(name, config),
      retry: {
        maxAttempts: config.RETRY_MAX_ATTEMPTS,
        baseDelayMs: config.RETRY_BASE_DELAY_MS,
        maxDelayMs: config.RETRY_MAX_DELAY_MS,
      },
      breaker: {
        maxFailures: config.CIRCUIT_BREAKER_MAX_FAILURES,
        cooldownMs: config.CIRCUIT_BREAKER_COOLDOWN_SECONDS * 1000,
      },
      clock: this.#clock,
      observer: this.#observer,
    });
    const check = async () => {
      if (upstream.state !== "closed") throw new NotOk(upstream.state);
    };
    this.all.push(upstream);
    this.dependencies.push({ name, required: false, check });
    return upstream;
  }
}

function ownOptions(
  name: UpstreamName,
  config: Config,
): Pick<UpstreamOptions, "timeoutMs" | "bulkhead" | "classify"> {
  if (name === "model:openai") {
    return {
      timeoutMs: config.MODEL_TIMEOUT_SECONDS * 1000,
      bulkhead: { maxConcurrent: config.MODEL_MAX_CONCURRENCY, maxWaiting: config.MODEL_MAX_QUEUE },
      classify: classifyModelError,
    };
  }
  const timeoutMs = name === "weather" ? WEATHER_TIMEOUT_MS : CALENDAR_TIMEOUT_MS;
  return { timeoutMs, bulkhead: TOOL_LIMITS, classify: classifyHttpError };
}
