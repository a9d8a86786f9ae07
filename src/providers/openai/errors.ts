import { APIConnectionError, APIError } from "openai";
import { AppError } from "../../core/errors.ts";
import { type ModelErrorKind, modelError } from "../../core/model/model-errors.ts";
import { RequestRefusedError } from "../../net/http-client.ts";

/** Codes of a 429 that no waiting mends: https://platform.openai.com/docs/guides/error-codes */
const UNPAID = new Set(["insufficient_quota", "billing_not_active"]);

/** Enough of a provider's words for the log, which some servers fill with a whole web page. */
const MAX_WORDS = 500;

/**
 * Any error of the SDK or of the stream beneath it as a model error. Its kinds: see the table at
 * `createOpenAIModel`. When the server says how long to wait, meta `retry_after_ms` holds that in
 * whole milliseconds.
 *
 * @param apiKey is blotted out of the cause: some servers repeat it in their error texts.
 */
export function toModelError(error: unknown, apiKey: string): AppError {
  const { code, publicMessage, retryable, meta } = modelError(kindOf(error));
  const retryAfterMs = error instanceof APIError ? retryAfter(error.headers) : undefined;
  return new AppError(code, publicMessage, {
    retryable,
    meta: { ...meta, ...(retryAfterMs !== undefined && { retry_after_ms: String(retryAfterMs) }) },
    cause: new ProviderFailure(error, apiKey),
  });
}

/**
 * What the provider said, for the log. It stands in for the SDK's error, which carries headers and
 * bodies, and whose text may hold the key.
 */
class ProviderFailure extends Error {
  override readonly name = "ProviderFailure";
  readonly status?: number;
  readonly requestId?: string;

  constructor(error: unknown, apiKey: string) {
    super(wordsOf(error).replaceAll(apiKey, "[API key]").slice(0, MAX_WORDS));
    if (error instanceof APIError) {
      this.status = error.status;
      this.requestId = error.requestID ?? undefined;
    }
  }
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
  return status >= 500 || status === 408 || status === 409 ? "model_unavailable" : "model_rejected";
}

/**
 * Milliseconds to wait, from OpenAI's `retry-after-ms` or from `retry-after` in seconds or as a date
 * (RFC 9110, section 10.2.3). A date counts from the answer's own: the two clocks may differ.
 */
function retryAfter(headers: Headers | undefined): number | undefined {
  const ms = headers?.get("retry-after-ms");
  const after = headers?.get("retry-after");
  const candidates = [
    ms ? Number(ms) : Number.NaN,
    after ? Number(after) * 1000 : Number.NaN,
    Date.parse(after ?? "") - Date.parse(headers?.get("date") ?? ""),
  ];
  const wait = candidates.find((candidate) => Number.isFinite(candidate) && candidate >= 0);
  return wait === undefined ? undefined : Math.ceil(wait);
}
