import { type Config, isLoopback } from "./config.ts";
import type { ChatService } from "./core/chat/chat-service.ts";
import type { IdGenerator } from "./core/ids.ts";
import type { UsageService } from "./core/ledger/usage-service.ts";
import type { Logger } from "./core/logger.ts";
import type { RateLimit, RateLimiter } from "./core/rate-limiter.ts";
import type { Readiness } from "./transport/health.ts";
import { HttpServer, type HttpServerOptions } from "./transport/http-server.ts";
import { Admission } from "./transport/incoming/admission.ts";
import { BodyReader } from "./transport/incoming/body.ts";
import { ClientAddresses } from "./transport/incoming/client-address.ts";
import { Cors } from "./transport/incoming/cors.ts";
import { EventLoopMonitor } from "./transport/incoming/event-loop.ts";
import { type RefusalReason, Refusals } from "./transport/incoming/refusal.ts";
import { RequestLimits } from "./transport/incoming/request-limits.ts";
import { TurnGate } from "./transport/incoming/turn-gate.ts";
import type { RequestObserver } from "./transport/request-observer.ts";
import { bindChatService } from "./transport/twirp/chat.ts";
import { TwirpRouter } from "./transport/twirp/router.ts";
import { bindStatsService } from "./transport/twirp/stats.ts";

export interface ServerDeps {
  readonly chat: ChatService;
  readonly usage: UsageService;
  readonly readiness: Readiness;
  readonly createRateLimiter: (limit: RateLimit) => RateLimiter;
  readonly observability: {
    readonly requests: RequestObserver;
    refused(reason: RefusalReason): void;
    readonly metrics: HttpServerOptions["metrics"];
  };
  readonly ids: IdGenerator;
  readonly log: Logger;
}

/** A server that listens. */
export interface OpenServer {
  readonly url: string;
  /** See {@link HttpServer.drain}. */
  drain(): void;
  /** See {@link HttpServer.retire}. */
  retire(graceMs: number): Promise<void>;
  /** See {@link HttpServer.close}. */
  close(graceMs: number): Promise<void>;
}

/** Listens, with all that guards the server as the configuration says; the transport's part of the composition. */
export async function openServer(config: Config, deps: ServerDeps): Promise<OpenServer> {
  const { log, ids, observability } = deps;
  const keys = config.API_KEYS.map((key) => ({
    ...key,
    limit: config.API_KEY_LIMITS.find(({ name }) => name === key.name),
  }));
  const cors = new Cors(config.CORS_ORIGINS);
  const load = new EventLoopMonitor(config.MAX_EVENT_LOOP_DELAY_MS);
  const limits = new RequestLimits({
    limit: { rps: config.API_RATE_LIMIT_RPS, burst: config.API_RATE_LIMIT_BURST },
    keys,
    createLimiter: deps.createRateLimiter,
    addresses: new ClientAddresses(
      config.TRUSTED_PROXIES,
      once(() => log.warn({}, "X-Forwarded-For is not believed: name your proxies in TRUSTED_PROXIES")),
    ),
  });
  const server = new HttpServer({
    router: new TwirpRouter([
      bindChatService(deps.chat, new TurnGate(limits, config.MAX_CONCURRENT_TURNS)),
      bindStatsService(deps.usage),
    ]),
    readiness: deps.readiness,
    cors,
    admission: new Admission({
      load,
      cors,
      keys,
      limits,
      localOnly: isLoopback(config.HOST) && !config.ALLOW_ANONYMOUS,
    }),
    bodies: new BodyReader(config.MAX_BODY_BYTES),
    refusals: new Refusals(log, () => performance.now(), observability.refused),
    observer: observability.requests,
    metrics: observability.metrics,
    maxConnections: config.MAX_CONNECTIONS,
    log,
    newRequestId: ids.next,
  });
  const url = await server.listen(config.HOST, config.PORT);
  load.start();
  return {
    url,
    drain: () => server.drain(),
    retire: (graceMs) => server.retire(graceMs),
    async close(graceMs) {
      await server.close(graceMs);
      load.stop();
    },
  };
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
