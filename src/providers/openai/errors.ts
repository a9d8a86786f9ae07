import type { IncomingHttpHeaders } from "node:http";
import type { AppError } from "../../core/errors.ts";
import { type ModelErrorKind, modelError } from "../../core/model/model-errors.ts";
import { RequestRefusedError } from "../../net/http-client.ts";
import { retryAfterMs } from "../../net/retry-after.ts";

/** Codes of a 429 that no waiting mends: https://platform.openai.com/docs/guides/error-codes */
const UNPAID = new Set<unknown>(["insufficient_quota", "billing_not_active"]);

/** Names of errors, such as `invalid_api_key` or `NotFoundError`. */
const IDENTIFIER = /^[A-Za-z]\w{0,63}$/;

/** Enough of a provider's words for the log, which some servers fill with a whole web page. */
const MAX_WORDS = 500;

/*
 * What went wrong with a call, as model errors; their kinds: see the table at `createOpenAIModel`. Each takes
 * the API key to blot it out of the cause: some servers repeat it in their error texts.
 */

/** A request that was not answered: `error` is what the transport threw. */
export function unanswered(error: unknown, apiKey: string): AppError {
  const kind = error instanceof RequestRefusedError ? "model_rejected" : "model_unavailable";
  const words = messagesOf(error);
  return modelError(kind, new ProviderFailure(words, words, apiKey));
}

/** An answer that breaks off, or has something else in it than it should. */
export function brokenOff(error: unknown, apiKey: string): AppError {
  const kind = error instanceof RequestRefusedError ? "model_rejected" : "model_interrupted";
  const words = error instanceof BadStream ? error.words : messagesOf(error);
  return modelError(kind, new ProviderFailure(outline(error), words, apiKey));
}

/** An answer with a status of failure. @param body its text, in whatever format. */
export function failed(
  { status, headers }: { readonly status: number; readonly headers: IncomingHttpHeaders },
  body: string,
  apiKey: string,
): AppError {
  const error = errorIn(body);
  const words = `${status} ${sayingOf(error) || "without a word"}`;
  const cause = new ProviderFailure(named(`Status ${status}`, error), words, apiKey);
  cause.status = status;
  cause.requestId = headers["x-request-id"]?.toString().replaceAll(apiKey, BLOT);
  const waitMs = retryAfterMs((name) => headers[name]?.toString());
  return modelError(kindOf(status, error), cause, waitMs);
}

/** What is wrong with a stream, in words of ours. */
export class BadStream extends Error {
  constructor(
    message: string,
    /** The provider's. */
    readonly words = message,
  ) {
    super(message);
  }

  /** @param error as the stream has it. */
  static withError(error: unknown): BadStream {
    return new BadStream(named("An error in the stream", error), sayingOf(error));
  }
}

const BLOT = "[API key]";

/** What went wrong, for the log: without what else the provider's answer held. */
class ProviderFailure extends Error {
  override readonly name = "ProviderFailure";
  status?: number;
  requestId?: string;
  /** What the provider said; it may quote the user, so it is for the log at level debug alone. */
  readonly words: string;

  constructor(outline: string, words: string, apiKey: string) {
    super(outline.replaceAll(apiKey, BLOT).slice(0, MAX_WORDS));
    this.words = words.replaceAll(apiKey, BLOT).slice(0, MAX_WORDS);
  }
}

/** As much as can be said in words that are not the provider's. */
function outline(error: unknown): string {
  const isOurs = error instanceof RequestRefusedError || error instanceof BadStream;
  // The transport's errors have codes.
  if (isOurs || (error instanceof Error && "code" in error)) return messagesOf(error);
  return `The stream broke off: ${error instanceof Error ? error.name : typeof error}`;
}

/** The place, with the name that the provider gives its error, where it looks like one. */
function named(place: string, error: unknown): string {
  const name = [field(error, "code"), field(error, "type")].find(
    (word) => typeof word === "string" && IDENTIFIER.test(word),
  );
  return name === undefined ? place : `${place}: ${name}`;
}

function sayingOf(error: unknown): string {
  if (typeof error === "string") return error;
  return typeof field(error, "message") === "string"
    ? String(field(error, "message"))
    : JSON.stringify(error);
}

/** The message of an error and of what caused it. */
function messagesOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // One for each address of the host that was tried; it has no message of its own.
  if (error instanceof AggregateError) return error.errors.map(messagesOf).join(", ");
  return error.cause === undefined ? error.message : `${error.message} ${messagesOf(error.cause)}`;
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
