import { APIConnectionError, APIError } from "openai";
import type { AppError } from "../../core/errors.ts";
import { type ModelErrorKind, modelError } from "../../core/model/model-errors.ts";
import { RequestRefusedError } from "../../net/http-client.ts";
import { retryAfterMs } from "../../net/retry-after.ts";

/** Codes of a 429 that no waiting mends: https://platform.openai.com/docs/guides/error-codes */
const UNPAID = new Set(["insufficient_quota", "billing_not_active"]);

/** Names of errors, such as `invalid_api_key` or `NotFoundError`. */
const IDENTIFIER = /^[A-Za-z]\w{0,63}$/;

/** Enough of a provider's words for the log, which some servers fill with a whole web page. */
const MAX_WORDS = 500;

/**
 * Any error of the SDK or of the stream beneath it as a model error. Its kinds: see the table at
 * `createOpenAIModel`.
 *
 * @param apiKey is blotted out of the cause: some servers repeat it in their error texts.
 */
export function toModelError(error: unknown, apiKey: string): AppError {
  const headers = error instanceof APIError ? error.headers : undefined;
  const waitMs = retryAfterMs((name) => headers?.get(name));
  return modelError(kindOf(error), new ProviderFailure(error, apiKey), waitMs);
}

/**
 * What went wrong, for the log. It stands in for the SDK's error, which carries headers and bodies, and
 * whose text may hold the key.
 */
class ProviderFailure extends Error {
  override readonly name = "ProviderFailure";
  readonly status?: number;
  readonly requestId?: string;
  /** What the provider said; it may quote the user, so it is for the log at level debug alone. */
  readonly words: string;

  constructor(error: unknown, apiKey: string) {
    const withoutKey = (text: string) => text.replaceAll(apiKey, "[API key]").slice(0, MAX_WORDS);
    super(withoutKey(outline(error)));
    this.words = withoutKey(wordsOf(error));
    if (error instanceof APIError) {
      this.status = error.status;
      this.requestId = error.requestID ? withoutKey(error.requestID) : undefined;
    }
  }
}

/** As much as can be said in words that are not the provider's. */
function outline(error: unknown): string {
  if (error instanceof APIConnectionError || error instanceof RequestRefusedError) return wordsOf(error);
  if (error instanceof APIError) {
    const kind = [error.code, error.type].find((word) => IDENTIFIER.test(word ?? ""));
    const place = error.status === undefined ? "An error in the stream" : `Status ${error.status}`;
    return kind ? `${place}: ${kind}` : place;
  }
  // The transport's errors have codes; those of a parser quote what they read.
  if (error instanceof Error && "code" in error) return wordsOf(error);
  return `The stream broke off: ${error instanceof Error ? error.name : typeof error}`;
}

/** The message of an error and of what caused it: "Connection error." alone says nothing. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // One for each address of the host that was tried; it has no message of its own.
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join(", ");
  return error.cause === undefined ? error.message : `${error.message} ${wordsOf(error.cause)}`;
}

function kindOf(error: unknown): ModelErrorKind {
  const cause = error instanceof APIConnectionError ? error.cause : error;
  if (cause instanceof RequestRefusedError) return "model_rejected";
  if (error instanceof APIConnectionError) return "model_unavailable";
  if (!(error instanceof APIError) || typeof error.status !== "number") return "model_interrupted";
  const { status, code, type } = error;
  if (status === 429)
    return UNPAID.has(code ?? "") || UNPAID.has(type ?? "") ? "model_rejected" : "model_overloaded";
  if (status === 408 || status === 409) return "model_overloaded";
  return status >= 500 ? "model_unavailable" : "model_rejected";
}
