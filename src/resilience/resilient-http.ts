import type { HttpClient, HttpResponse } from "../net/http-client.ts";
import { retryAfterMs } from "../net/retry-after.ts";
import type { Failure, Upstream } from "./upstream.ts";

/** An answer whose status says that the same request may be answered otherwise later. */
class PassingStatus extends Error {
  /** Hidden from logs. */
  readonly #response: HttpResponse;

  constructor(response: HttpResponse) {
    super(`Status ${response.status}`);
    this.#response = response;
  }

  get response(): HttpResponse {
    return this.#response;
  }
}

/** The client, for requests to one upstream. When no attempt is answered better, it gives the last answer. */
export function resilientHttp(inner: HttpClient, upstream: Upstream): HttpClient {
  return {
    async get(url, options) {
      const attempt = async (signal: AbortSignal) => {
        const response = await inner.get(url, { ...options, signal });
        if (isPassing(response.status)) throw new PassingStatus(response);
        return response;
      };
      try {
        return await upstream.call(options.signal, attempt);
      } catch (error) {
        if (error instanceof PassingStatus) return error.response;
        throw error;
      }
    },
  };
}

/** What an error of the client, or a passing status, says of its upstream. */
export function classifyHttpError(error: unknown): Failure {
  if (error instanceof PassingStatus) {
    const { status, headers } = error.response;
    const wait = retryAfterMs((name) => headers[name]?.toString());
    return { outcome: status >= 500 ? "failure" : "success", retryable: true, retryAfterMs: wait };
  }
  if (CONNECTION_CODES.has(codeOf(error))) return { outcome: "failure", retryable: true };
  return { outcome: "unknown", retryable: false };
}

function isPassing(status: number): boolean {
  return status >= 500 || status === 408 || status === 409 || status === 429;
}

/** Of Node.js and of undici: there was no connection, or it broke. */
const CONNECTION_CODES: ReadonlySet<unknown> = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_SOCKET",
]);

/** The code of an error, or of what caused it. */
function codeOf(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return undefined;
  if ("code" in error && CONNECTION_CODES.has(error.code)) return error.code;
  return "cause" in error ? codeOf(error.cause) : undefined;
}
