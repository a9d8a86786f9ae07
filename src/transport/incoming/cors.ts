import type { IncomingMessage, ServerResponse } from "node:http";

const REQUEST_HEADERS = "authorization, content-type, idempotency-key, x-api-key, x-request-id";
const RESPONSE_HEADERS = "ratelimit, ratelimit-policy, retry-after, x-request-id";
/** How long a browser may go by its last preflight, in seconds; none takes more. */
const MAX_AGE = 7_200;

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
  setHeaders({ headers: { origin } }: IncomingMessage, response: ServerResponse): void {
    if (this.#origins.size === 0) return;
    response.setHeader("vary", "Origin");
    if (origin === undefined || !this.allows(origin)) return;
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", RESPONSE_HEADERS);
  }

  /** Sets the headers of an answer to a preflight. */
  setPreflightHeaders({ headers: { origin } }: IncomingMessage, response: ServerResponse): void {
    if (origin === undefined || !this.allows(origin)) return;
    response.setHeader("access-control-allow-methods", "POST");
    response.setHeader("access-control-allow-headers", REQUEST_HEADERS);
    response.setHeader("access-control-max-age", MAX_AGE);
  }
}

/** Whether a browser asks what it may send; such a request never shows a key. */
export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}
