import type { IncomingMessage } from "node:http";
import type { AnswerHeaders } from "../answer.ts";

const REQUEST_HEADERS = "authorization, content-type, idempotency-key, x-api-key, x-request-id";
const RESPONSE_HEADERS = "ratelimit, ratelimit-policy, retry-after, x-request-id";
/** How long a browser may go by its last preflight, in seconds; none takes more. */
const MAX_AGE = "7200";

/** Lets pages of the listed origins call the server (fetch.spec.whatwg.org, "CORS protocol"). */
export class Cors {
  readonly #origins: ReadonlySet<string>;

  /** @param origins such as `https://chat.example.com`. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  allows(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /** Sets the headers that its page needs to read the answer. */
  setHeaders({ headers: { origin } }: IncomingMessage, answerHeaders: AnswerHeaders): void {
    if (this.#origins.size === 0) return;
    answerHeaders.vary = "Origin";
    if (origin === undefined || !this.allows(origin)) return;
    answerHeaders["access-control-allow-origin"] = origin;
    answerHeaders["access-control-expose-headers"] = RESPONSE_HEADERS;
  }

  /** Sets the headers of an answer to a preflight. */
  setPreflightHeaders({ headers: { origin } }: IncomingMessage, answerHeaders: AnswerHeaders): void {
    if (origin === undefined || !this.allows(origin)) return;
    answerHeaders["access-control-allow-methods"] = "POST";
    answerHeaders["access-control-allow-headers"] = REQUEST_HEADERS;
    answerHeaders["access-control-max-age"] = MAX_AGE;
  }
}

/** Whether a browser asks what it may send; such a request never shows a key. */
export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}
