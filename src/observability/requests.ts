import type { IncomingHttpHeaders } from "node:http";
import { SpanKind } from "@opentelemetry/api";
import type { Logger } from "../core/logger.ts";
import { Refusal } from "../transport/incoming/refusal.ts";
import type {
  RequestHead,
  RequestObservation,
  RequestObserver,
  RequestOutcome,
} from "../transport/request-observer.ts";
import type { Telemetry } from "./telemetry.ts";
import { errorType, markFailed, type Span } from "./tracing.ts";

/** Methods of HTTP that are told apart: RFC 9110, section 9, and RFC 5789. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]);
/** Asked again and again by machines: they would drown the rest of the log. */
const QUIET_PATHS = new Set(["/health", "/metrics", "/ready"]);

/** One line of the log, the meters and one span for each request. */
export function watchRequests(telemetry: Telemetry): RequestObserver {
  return { begin: (head, log) => new WatchedRequest(head, log, telemetry) };
}

class WatchedRequest implements RequestObservation {
  readonly #startedAt = performance.now();
  readonly #method: string;
  readonly #path: string;
  readonly #requestLog: Logger;
  readonly #telemetry: Telemetry;
  #span: Span | undefined;

  constructor({ method, path }: RequestHead, log: Logger, telemetry: Telemetry) {
    this.#method = METHODS.has(method) ? method : "other";
    this.#path = path;
    this.#requestLog = log;
    this.#telemetry = telemetry;
    telemetry.meters.http.inFlight.value++;
  }

  serve<T>(headers: IncomingHttpHeaders, run: () => Promise<T>): Promise<T> {
    const { tracing } = this.#telemetry;
    if (!tracing) return run();
    const [, , service = "", method = ""] = this.#path.split("/");
    this.#span = tracing.start(
      `${service}/${method}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          "rpc.system": "twirp",
          "rpc.service": service,
          "rpc.method": method,
        },
      },
      tracing.parentOf(headers),
    );
    return tracing.within(this.#span, run);
  }

  end(outcome: RequestOutcome): void {
    const { meters, tracing } = this.#telemetry;
    const { status, error } = outcome;
    const durationMs = performance.now() - this.#startedAt;
    meters.http.inFlight.value--;
    meters.http.requests.of(this.#method, this.#path, String(status)).value++;
    meters.http.seconds.of(this.#method, this.#path).observe(durationMs / 1000);
    if (error?.code === "internal") meters.errors.unhandled.of().value++;
    if (!this.#span || !tracing) {
      this.#log(outcome, durationMs);
      return;
    }
    tracing.within(this.#span, () => this.#log(outcome, durationMs));
    this.#span.setAttributes({ "http.response.status_code": status });
    if (error && status >= 500) markFailed(this.#span, errorType(error));
    this.#span.end();
  }

  #log({ status, principal, error }: RequestOutcome, durationMs: number): void {
    const log = this.#requestLog;
    // One without a cause is that of a turn, which has told the log itself.
    if (error?.cause !== undefined) {
      if (error.code === "internal") log.error({ err: error.cause }, "A request failed unexpectedly");
      // Its text points to the log: it is a store's, and where that fails no turn tells of it.
      else if (error.code === "unavailable") log.warn({ err: error }, "A request failed");
      else log.debug({ err: error }, "A request failed");
    }
    const quiet = error instanceof Refusal || QUIET_PATHS.has(this.#path);
    const fields = {
      method: this.#method,
      path: this.#path,
      status,
      duration_ms: round(durationMs),
      principal,
    };
    log[quiet ? "debug" : "info"](fields, "Request");
  }
}

/** To tenths of a millisecond. */
export function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
