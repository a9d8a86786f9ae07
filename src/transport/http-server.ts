import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ANONYMOUS, type RequestContext } from "../core/context.ts";
import { type AppError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { readBody } from "./body.ts";
import { HTTP_STATUS } from "./error-map.ts";
import type { Readiness } from "./health.ts";
import type { TwirpRouter } from "./twirp/router.ts";

export interface HttpServerOptions {
  readonly router: TwirpRouter;
  readonly readiness: Readiness;
  readonly log: Logger & { child(fields: Record<string, unknown>): Logger };
  readonly maxBodyBytes: number;
  /** A fresh id for a request that brings none. */
  readonly newRequestId: () => string;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array | string;
}

/** The time a client has to send a whole request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the idle time-outs of the usual proxies, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** Ids that may be taken over from a client into logs and answers. */
const REQUEST_ID = /^[\w.-]{1,64}$/;

/** The HTTP server in front of the Twirp router, with GET /health and GET /ready. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        requestTimeout: REQUEST_TIMEOUT_MS,
        headersTimeout: HEADERS_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      },
      (request, response) => void this.#serve(request, response),
    );
  }

  /** @returns the URL it listens on. @throws Error that says what to do when it can't. */
  async listen(host: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      this.#server.listen(port, host, resolve);
    });
    const { address, family, port: actualPort } = this.#server.address() as AddressInfo;
    return `http://${family === "IPv6" ? `[${address}]` : address}:${actualPort}`;
  }

  /** Takes no more connections; resolves when all requests have been answered. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const requestId = this.#requestId(request);
    const log = this.#options.log.child({ requestId });
    const path = request.url?.split("?", 1)[0] ?? "/";
    let route = "unmatched";
    const answer = await this.#answer(request, path, { principal: ANONYMOUS, requestId, log }, (name) => {
      route = name;
    }).catch((error: unknown) => errorAnswer(toAppError(error), requestId, log));
    request.resume();
    if (!response.destroyed) {
      response.writeHead(answer.status, {
        "content-type": answer.contentType,
        "content-length": Buffer.byteLength(answer.body),
        "x-request-id": requestId,
        // The rest of a body that was refused is not waited for.
        ...(request.complete ? {} : { connection: "close" }),
      });
      response.end(answer.body);
    }
    const durationMs = Math.round(performance.now() - startedAt);
    const level = path === "/health" || path === "/ready" ? "debug" : "info";
    log[level]({ method: request.method, route, status: answer.status, durationMs }, "Request");
  }

  async #answer(
    request: IncomingMessage,
    path: string,
    context: RequestContext,
    onRoute: (name: string) => void,
  ): Promise<Answer> {
    if (request.method === "GET" || request.method === "HEAD") {
      if (path === "/health") return jsonAnswer(200, { status: "ok" });
      if (path === "/ready") {
        const report = await this.#options.readiness.report();
        const serves = report.status === "ready" || report.status === "degraded";
        return jsonAnswer(serves ? 200 : 503, report);
      }
    }
    const route = this.#options.router.match({
      method: request.method ?? "",
      path,
      contentType: request.headers["content-type"],
    });
    onRoute(route.name);
    const body = await readBody(request, this.#options.maxBodyBytes);
    const result = await route.call(body, context, request.headers);
    return { status: 200, contentType: route.contentType, body: result };
  }

  #requestId(request: IncomingMessage): string {
    const given = request.headers["x-request-id"];
    return typeof given === "string" && REQUEST_ID.test(given) ? given : this.#options.newRequestId();
  }
}

/** A Twirp error body: `code`, `msg`, `meta`, and no other key. */
function errorAnswer(error: AppError, requestId: string, log: Logger): Answer {
  const unexpected = error.code === "internal";
  if (unexpected) log.error({ err: error.cause ?? error }, "A request failed unexpectedly");
  else if (error.cause !== undefined) log.debug({ err: error }, "A request failed");
  const meta = unexpected ? { ...error.meta, request_id: requestId } : error.meta;
  return jsonAnswer(HTTP_STATUS[error.code], { code: error.code, msg: error.publicMessage, meta });
}

function jsonAnswer(status: number, value: unknown): Answer {
  return { status, contentType: "application/json", body: JSON.stringify(value) };
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const cures: Record<string, string> = {
    EADDRINUSE: "another program uses that port. Stop it, or set PORT to another port",
    EACCES: "this user may not use that port. Set PORT to one above 1023",
    EADDRNOTAVAIL: "this machine has no such address. Set HOST to one of its own, such as 127.0.0.1",
  };
  const cure = cures[error.code ?? ""] ?? error.message;
  return new Error(`The server can't listen on ${host}:${port}: ${cure}.`, { cause: error });
}
