import { type Config, ConfigError, previewConfig } from "./config.ts";
import type { Logger } from "./core/logger.ts";
import type { RateLimiter } from "./core/rate-limiter.ts";
import { processMetrics } from "./observability/metrics/process-metrics.ts";
import type { Program } from "./program.ts";
import { announce } from "./start-up-lines.ts";
import { MemoryRateLimiter } from "./stores/memory/rate-limiter.ts";
import { systemClock } from "./system-clock.ts";
import { ForkedWorker } from "./workers/forked-worker.ts";
import { WorkerMetrics } from "./workers/metrics.ts";
import { WorkerPool } from "./workers/pool.ts";

/** How often nothing is done, in milliseconds. */
const ALIVE_MS = 60_000;
/** How long a worker may take to end beyond its grace, in milliseconds: see {@link shutDown}, and its last reports. */
const BEYOND_GRACE_MS = 8_000;

/**
 * The program of the primary: it serves nobody, but holds the port, keeps the workers running, and keeps
 * what they share without a store.
 */
export function supervise(config: Config, log: Logger, end: (exitCode: number) => void): Program {
  let { SHUTDOWN_GRACE_SECONDS: graceSeconds } = config;
  const limiters = new Map<string, RateLimiter>();
  const pool = new WorkerPool({
    size: config.WORKERS,
    fork() {
      const worker: ForkedWorker = new ForkedWorker({
        take({ limit, key }) {
          const name = `${limit.rps}:${limit.burst}`;
          const limiter = limiters.get(name) ?? new MemoryRateLimiter(limit);
          limiters.set(name, limiter);
          return limiter.take(key);
        },
        metricsPage: () => metrics.page(),
        lastMetrics: (last) => metrics.told(worker, last),
      });
      void worker.ready.then((serves) => serves && metrics.add(worker));
      return worker;
    },
    endMs: () => graceSeconds * 1000 + BEYOND_GRACE_MS,
    giveUp(failure) {
      log.error({}, `${failure.message}, like those before it: the server stops`);
      end(failure.exitCode);
    },
    clock: systemClock,
    log,
  });
  const metrics = new WorkerMetrics({ primary: processMetrics(), pool });
  // Between one worker's end and the next one's start nothing else does.
  const alive = setInterval(() => undefined, ALIVE_MS);

  const renew = async () => {
    try {
      const next = previewConfig();
      graceSeconds = Math.max(graceSeconds, next.SHUTDOWN_GRACE_SECONDS);
      if (next.WORKERS !== config.WORKERS) {
        log.warn({}, `WORKERS is read when the server starts: it goes on with ${config.WORKERS}`);
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      log.error({}, `${error.message}\nThe workers go on with what was there before.`);
      return;
    }
    await pool.renew();
  };
  let renewing = Promise.resolve();
  let waiting = false;

  return {
    async start() {
      announce(await pool.start(), config, log);
    },
    async stop() {
      await pool.stop();
      clearInterval(alive);
    },
    renew() {
      // One that waits finds what has changed until then.
      if (waiting) return;
      waiting = true;
      renewing = renewing.then(() => {
        waiting = false;
        return renew();
      });
    },
  };
}
