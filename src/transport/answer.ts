import type { AppError } from "../core/errors.ts";
import { HTTP_STATUS } from "./error-map.ts";
import { Refusal } from "./incoming/refusal.ts";

/** By their names in lower case; several values are as many lines. */
export type AnswerHeaders = Record<string, string | string[]>;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<AnswerHeaders>;
  readonly contentType?: string;
  readonly body: Uint8Array | string;
}

/**
 * Of every answer: it is kept nowhere, and no browser makes a page of it, frames it or guesses at its
 * type (OWASP's REST Security Cheat Sheet, "Security Headers").
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

export function jsonAnswer(status: number, value: unknown): Answer {
  return { status, contentType: "application/json", body: JSON.stringify(value) };
}

/** A Twirp error body: `code`, `msg`, `meta`, and no other key. */
export function errorAnswer(error: AppError, requestId: string): Answer {
  const meta = error.code === "internal" ? { ...error.meta, request_id: requestId } : error.meta;
  return {
    ...jsonAnswer(HTTP_STATUS[error.code], { code: error.code, msg: error.publicMessage, meta }),
    headers: {
      ...(error instanceof Refusal && error.headers),
      ...(error.meta.retry_after !== undefined && { "retry-after": error.meta.retry_after }),
    },
  };
}
