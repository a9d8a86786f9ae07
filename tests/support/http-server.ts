import { Registry } from "prom-client";
import { ANONYMOUS } from "../../src/core/context.ts";
import { ChatService } from "../../src/gen/acai/chat/chat";
import { createMeters } from "../../src/observability/metrics/meters.ts";
import { watchRequests } from "../../src/observability/requests.ts";
import { Readiness } from "../../src/transport/health.ts";
import { HttpServer, type HttpServerOptions } from "../../src/transport/http-server.ts";
import { BodyReader } from "../../src/transport/incoming/body.ts";
import { Cors } from "../../src/transport/incoming/cors.ts";
import { Refusals } from "../../src/transport/incoming/refusal.ts";
import { TwirpRouter } from "../../src/transport/twirp/router.ts";
import { TestLog } from "./test-log.ts";
import { METHODS } from "./twirp.ts";

/** The HTTP server alone, open to everyone, with one handler behind all methods. */
export function openHttpServer(
  handle: (method: string, request: object) => Promise<object>,
  options: Partial<HttpServerOptions> = {},
): { server: HttpServer; log: TestLog } {
  const log = new TestLog();
  const readiness = new Readiness([]);
  readiness.phase = "serving";
  const handlers = Object.fromEntries(
    METHODS.map(({ name }) => [name, (request: object) => handle(name, request)]),
  );
  const server = new HttpServer({
    router: new TwirpRouter([{ type: ChatService, handlers }]),
    readiness,
    cors: new Cors([]),
    admission: { admit: async () => ({ principal: ANONYMOUS }) },
    bodies: new BodyReader(1_048_576),
    refusals: new Refusals(log, () => 0),
    observer: watchRequests({ meters: createMeters(new Registry()) }),
    metrics: async () => ({ body: "" }),
    maxConnections: 100,
    log,
    newRequestId: () => "request-1",
    ...options,
  });
  return { server, log };
}
