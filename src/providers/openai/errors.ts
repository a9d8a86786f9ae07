import type { IncomingHttpHeaders } from "node:http";
import type { AppError } from "../../core/errors.ts";
import { type ModelErrorKind, modelError } from "../../core/model/model-errors.ts";
import { RequestRefusedError } from "../../net/http-client.ts";
import { retryAfterMs } from "../../net/retry-after.ts";

/** Codes of a 429 that no waiting mends: https://platform.openai.com/docs/guides/error-codes */
const UNPAID = new Set<unknown>(["insufficient_quota", "billing_not_active"]);

/** Enough of a provider's words for the log, which some servers fill with a whole web page. */
const MAX_WORDS = 500;

/*
 * What went wrong with a call, as model errors; their kinds: see the table at `createOpenAIModel`. Each takes
 * the API key to blot it out of the cause: some servers repeat it in their error texts.
 */

/** A request that was not answered: `error` is what the transport threw. */
export function unanswered(error: unknown, apiKey: string): AppError {
  const kind = error instanceof RequestRefusedError ? "model_rejected" : "model_unavailable";
  return modelError(kind, new ProviderFailure(wordsOf(error), apiKey));
}

/** An answer that breaks off, or has something else in it than it should. */
export function brokenOff(error: unknown, apiKey: string): AppError {
  const kind = error instanceof RequestRefusedError ? "model_rejected" : "model_interrupted";
  return modelError(kind, new ProviderFailure(wordsOf(error), apiKey));
}

/** An answer with a status of failure. @param body its text, in whatever format. */
export function failed(
  { status, headers }: { readonly status: number; readonly headers: IncomingHttpHeaders },
  body: string,
  apiKey: string,
): AppError {
  const error = errorIn(body);
  const requestId = headers["x-request-id"]?.toString();
  const words = `${status} ${sayingOf(error) || "without a word"}`;
  const waitMs = retryAfterMs((name) => headers[name]?.toString());
  return modelError(kindOf(status, error), new ProviderFailure(words, apiKey, status, requestId), waitMs);
}

/** What an error event in the stream says. */
export function sayingOf(error: unknown): string {
  if (typeof error === "string") return error;
  return typeof field(error, "message") === "string"
    ? String(field(error, "message"))
    : JSON.stringify(error);
}

/** What the provider said, for the log: without what else its answer held. */
class ProviderFailure extends Error {
  override readonly name = "ProviderFailure";
  readonly status?: number;
  readonly requestId?: string;

  constructor(words: string, apiKey: string, status?: number, requestId?: string) {
    super(words.replaceAll(apiKey, "[API key]").slice(0, MAX_WORDS));
    this.status = status;
    this.requestId = requestId;
  }
}

/** The message of an error and of what caused it. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // One for each address of the host that was tried; it has no message of its own.
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join(", ");
  return error.cause === undefined ? error.message : `${error.message} ${wordsOf(error.cause)}`;
}

/** OpenAI's `{ "error": { … } }`, what other servers have in its place, or the text itself. */
function errorIn(body: string): unknown {
  try {
    const json: unknown = JSON.parse(body);
    return field(json, "error") ?? json;
  } catch {
    return body;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function kindOf(status: number, error: unknown): ModelErrorKind {
  if (status === 429) {
    const unpaid = UNPAID.has(field(error, "code")) || UNPAID.has(field(error, "type"));
    return unpaid ? "model_rejected" : "model_overloaded";
  }
  if (status === 408 || status === 409) return "model_overloaded";
  return status >= 500 ? "model_unavailable" : "model_rejected";
}
