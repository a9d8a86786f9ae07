import { AppError, type AppErrorOptions, type ErrorCode } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";

/** Why a request was turned away before any work was done for it; `connections`: never even read. */
export const REFUSAL_REASONS = [
  "connections",
  "foreign_page",
  "overloaded",
  "rate_limit",
  "stopping",
  "unauthenticated",
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface RefusalOptions extends Pick<AppErrorOptions, "meta" | "retryAfterMs"> {
  /** That the answer needs beside the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The error of a request that was turned away. */
export class Refusal extends AppError {
  readonly reason: RefusalReason;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, reason: RefusalReason, publicMessage: string, options: RefusalOptions = {}) {
    const { retryAfterMs, meta, headers = {} } = options;
    super(code, publicMessage, { meta: { ...meta, reason }, retryAfterMs });
    this.reason = reason;
    this.headers = headers;
  }
}

/** More work than the server can do in good time. */
export function overloaded(): Refusal {
  return new Refusal("unavailable", "overloaded", "The server is busy. Send it again in a moment.", {
    retryAfterMs: 1_000,
  });
}

const REPORT_INTERVAL_MS = 10_000;

/** Tells of refusals in the log, one line at a time for all of them: a flood is not to fill the disk. */
export class Refusals {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #onRefusal: (reason: RefusalReason) => void;
  #counts: Partial<Record<RefusalReason, number>> = {};
  #reportedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param now in milliseconds.
   * @param onRefusal is called for each.
   */
  constructor(log: Logger, now: () => number, onRefusal: (reason: RefusalReason) => void = () => undefined) {
    this.#log = log;
    this.#now = now;
    this.#onRefusal = onRefusal;
  }

  count(reason: RefusalReason): void {
    this.#onRefusal(reason);
    this.#counts[reason] = (this.#counts[reason] ?? 0) + 1;
    const now = this.#now();
    if (now - this.#reportedAt < REPORT_INTERVAL_MS) return;
    this.#reportedAt = now;
    this.#log.warn({ refused: this.#counts }, "Requests are turned away");
    this.#counts = {};
  }
}
