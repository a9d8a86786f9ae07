import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer } from "node:net";
import { setImmediate as immediate } from "node:timers/promises";
import type { RequestContext } from "../core/context.ts";
import { type AppError, toAppError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { type Answer, type AnswerHeaders, errorAnswer, jsonAnswer, SECURITY_HEADERS } from "./answer.ts";
import type { Readiness } from "./health.ts";
import type { Admission } from "./incoming/admission.ts";
import type { BodyReader } from "./incoming/body.ts";
import { type Cors, isPreflight } from "./incoming/cors.ts";
import { Refusal, type Refusals } from "./incoming/refusal.ts";
import type { RequestObservation, RequestObserver } from "./request-observer.ts";
import type { TwirpRouter } from "./twirp/router.ts";
import { UntakenAnswers } from "./untaken-answers.ts";

export interface HttpServerOptions {
  readonly router: TwirpRouter;
  readonly readiness: Readiness;
  readonly cors: Cors;
  readonly admission: Pick<Admission, "admit">;
  readonly bodies: BodyReader;
  readonly refusals: Refusals;
  readonly observer: RequestObserver;
  /** What GET /metrics answers. */
  readonly metrics: () => Promise<Pick<Answer, "contentType" | "body">>;
  readonly maxConnections: number;
  readonly timeouts?: Partial<Timeouts>;
  readonly log: Logger;
  /** A fresh id for a request that brings none. */
  readonly newRequestId: () => string;
}

/** What a client has time for, in milliseconds. */
interface Timeouts {
  /** To send a request's headers, from the connection's first moment or the last answer's end on. */
  readonly headers: number;
  /** To send a whole request. */
  readonly request: number;
  /** To take a part of an answer. */
  readonly answer: number;
  /** To begin the next request. */
  readonly keepAlive: number;
  /** Between two looks at whose time is up. */
  readonly look: number;
}

const TIMEOUTS: Timeouts = {
  headers: 10_000,
  request: 30_000,
  answer: 30_000,
  // Longer than the idle time-outs of the usual proxies, so that they close first.
  keepAlive: 65_000,
  look: 1_000,
};

/** Between the answer to a body that was refused and the connection's end. */
const LINGER_MS = 500;
/** How long a connection has to be idle before a server that retires closes it. */
const IDLE_MS = 2_000;
const MAX_HEADER_BYTES = 16_384;
const MAX_HEADERS = 100;

/** Ids that may be taken over from a client into logs and answers. */
const REQUEST_ID = /^[\w.-]{1,64}$/;

/** A request, as far as it got. */
interface Exchange extends Omit<RequestContext, "principal"> {
  readonly path: string;
  readonly observation: RequestObservation;
  /** Of its answer, besides those that every answer has. */
  readonly answerHeaders: AnswerHeaders;
  /** Who showed a key. */
  principal?: string;
}

/** What machines ask with GET, beside the methods of the contract. */
const PAGES: ReadonlySet<string> = new Set(["/health", "/metrics", "/ready"]);

/** The HTTP server in front of the Twirp router, with GET /health, GET /ready and GET /metrics. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #timeouts: Timeouts;
  readonly #server: Server;
  readonly #untaken = new UntakenAnswers();
  #draining = false;
  #retiring = false;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#timeouts = { ...TIMEOUTS, ...options.timeouts };
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#server = createServer(
      {
        headersTimeout: this.#timeouts.headers,
        requestTimeout: this.#timeouts.request,
        keepAliveTimeout: this.#timeouts.keepAlive,
        connectionsCheckingInterval: this.#timeouts.look,
        maxHeaderSize: MAX_HEADER_BYTES,
      },
      serve,
    );
    this.#server.maxHeadersCount = MAX_HEADERS;
    this.#server.maxConnections = options.maxConnections;
    // As one of several workers, too: else those that are full would pass a connection round without end.
    Object.assign(this.#server, { dropMaxConnection: true });
    this.#server.on("drop", () => {
      options.refusals.count("connections");
      // Whoever is idle makes room for those who come next.
      this.#server.closeIdleConnections();
    });
    // A client that waits to be asked for its body is asked once its request has been let in.
    this.#server.on("checkContinue", serve);
  }

  /** @returns the URL it listens on. @throws Error that says what to do when it can't. */
  async listen(host: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      this.#server.listen(port, host, resolve);
    });
    this.#server.on("error", (err) => this.#options.log.error({ err }, "A connection could not be taken"));
    const { address, family, port: actualPort } = this.#server.address() as AddressInfo;
    return `http://${family === "IPv6" ? `[${address}]` : address}:${actualPort}`;
  }

  /**
   * Takes no more work: what comes is answered `unavailable`, requests at work are answered, and each
   * connection is closed as soon as it is idle. Health is still told.
   */
  drain(): void {
    this.#draining = true;
    this.#server.closeIdleConnections();
  }

  /**
   * Takes no more connections, for others listen in its place, and lets nobody down who has one: what
   * comes is served and the connection closed with its answer, or once it has been idle for a while.
   * Resolves when all are closed, or after `graceMs`.
   */
  async retire(graceMs: number): Promise<void> {
    this.#retiring = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const limit = setTimeout(resolve, graceMs);
    const idle = setInterval(() => this.#server.closeIdleConnections(), IDLE_MS);
    // Not the HTTP server's own: it closes idle connections at once, and a request may be on its way there.
    NetServer.prototype.close.call(this.#server, () => resolve());
    await promise;
    clearTimeout(limit);
    clearInterval(idle);
  }

  /** Takes no more connections; resolves when all are closed, those that still are open after `graceMs` by force. */
  async close(graceMs: number): Promise<void> {
    this.drain();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    clearTimeout(timer);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { observer, refusals, router } = this.#options;
    const requestId = this.#requestId(request);
    const log = this.#options.log.child({ request_id: requestId });
    const path = pathOf(request.url ?? "/");
    const known = PAGES.has(path) || router.has(path);
    const head = { method: request.method ?? "", path: known ? path : "other" };
    const answerHeaders: AnswerHeaders = {};
    const exchange: Exchange = {
      requestId,
      log,
      path,
      answerHeaders,
      observation: observer.begin(head, log),
    };
    let error: AppError | undefined;
    const answer = await this.#answer(request, response, exchange).catch((thrown: unknown) => {
      error = toAppError(thrown);
      if (error instanceof Refusal) refusals.count(error.reason);
      return errorAnswer(error, requestId);
    });
    // A short body has mostly come with the headers, but the parser is there only when all this has run.
    if (!request.complete) await immediate();
    this.#send(request, response, answer, exchange);
    exchange.observation.end({ status: answer.status, principal: exchange.principal, error });
  }

  /** The order of the gates is that of ARCHITECTURE.md, "Incoming requests". */
  async #answer(request: IncomingMessage, response: ServerResponse, exchange: Exchange): Promise<Answer> {
    const { readiness, cors, admission, router, bodies, metrics } = this.#options;
    const { path, requestId, log, observation, answerHeaders } = exchange;
    const asksForPage = request.method === "GET" || request.method === "HEAD";
    if (asksForPage) {
      if (path === "/health") return jsonAnswer(200, { status: "ok" });
      if (path === "/ready") {
        const report = await readiness.report();
        const serves = report.status === "ready" || report.status === "degraded";
        return jsonAnswer(serves ? 200 : 503, report);
      }
    }
    cors.setHeaders(request, answerHeaders);
    if (isPreflight(request)) {
      cors.setPreflightHeaders(request, answerHeaders);
      return { status: 204, body: "" };
    }
    if (asksForPage && path === "/metrics") {
      await admission.admit(request, answerHeaders, { evenIfBusy: true });
      return { status: 200, ...(await metrics()) };
    }
    if (this.#draining) throw stopping();
    const { principal, key } = await admission.admit(request, answerHeaders);
    if (key) exchange.principal = principal;
    const route = router.match({
      method: request.method ?? "",
      path,
      contentType: request.headers["content-type"],
    });
    return await observation.serve(request.headers, async () => {
      const body = await bodies.read(request, response);
      const result = await route.call(body, { requestId, log, principal }, request.headers);
      this.#untaken.requireRoom(result);
      return { status: 200, contentType: route.contentType, body: result };
    });
  }

  #send(
    request: IncomingMessage,
    response: ServerResponse,
    answer: Answer,
    { requestId, answerHeaders }: Exchange,
  ): void {
    if (response.destroyed) return;
    response.writeHead(answer.status, {
      ...SECURITY_HEADERS,
      ...answerHeaders,
      ...answer.headers,
      ...(answer.contentType !== undefined && { "content-type": answer.contentType }),
      ...(answer.status !== 204 && { "content-length": Buffer.byteLength(answer.body) }),
      "x-request-id": requestId,
      ...((this.#draining || this.#retiring || !request.complete) && { connection: "close" }),
    });
    if (request.complete) response.end(answer.body);
    else sendAndLinger(response, answer.body);
    // What has left at once, as most does, has nobody to wait for.
    if (response.writableLength > 0) this.#awaitClient(response, answer.body);
  }

  /** Closes the connection when the client does not take its answer in time. */
  #awaitClient(response: ServerResponse, body: Answer["body"]): void {
    this.#untaken.add(response, body);
    // Without a listener for it, the time-out closes the connection.
    response.setTimeout(this.#timeouts.answer);
    // A client that pipelines may wait for its next answer by then. Before Node.js sets the time to be idle.
    response.prependOnceListener("finish", () => response.socket?.setTimeout(0));
  }

  #requestId(request: IncomingMessage): string {
    const given = request.headers["x-request-id"];
    return typeof given === "string" && REQUEST_ID.test(given) ? given : this.#options.newRequestId();
  }
}

/** Of a request's target, which may also have the server before it (RFC 9112, section 3.2.2). */
function pathOf(target: string): string {
  const local = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
  const query = local.indexOf("?");
  return query < 0 ? local : local.slice(0, query);
}

/**
 * Answers a request whose body was refused: the rest of it is neither waited for nor read. Closing with
 * something unread could take the answer from the client's hands (RFC 9112, section 9.6), so it gets a moment
 * to read it.
 */
function sendAndLinger(response: ServerResponse, body: Answer["body"]): void {
  response.write(body);
  const timer = setTimeout(() => response.end(), LINGER_MS);
  response.once("close", () => clearTimeout(timer));
}

function stopping(): Refusal {
  return new Refusal("unavailable", "stopping", "The server is stopping. Send it again in a moment.", {
    retryAfterMs: 1_000,
  });
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
