import { AppError } from "../errors.ts";

/**
 * Why a model gave no usable answer. The kind is sent to the client as meta `reason`.
 * See the table "What a model can do wrong" in ARCHITECTURE.md.
 */
const KINDS = {
  model_empty: {
    code: "unavailable",
    retryable: true,
    message: "The model answered with nothing. Send the message again.",
  },
  model_length: {
    code: "failed_precondition",
    retryable: false,
    message:
      "The model's answer was cut off at its length limit. Ask for a shorter answer, or raise OPENAI_MAX_OUTPUT_TOKENS.",
  },
  model_filtered: {
    code: "failed_precondition",
    retryable: false,
    message: "The model provider's content filter withheld the answer. Word the message differently.",
  },
  model_rounds: {
    code: "failed_precondition",
    retryable: false,
    message: "The model kept asking for tools and never answered. Ask for less at once.",
  },
  model_interrupted: {
    code: "unavailable",
    retryable: true,
    message: "The connection to the model broke off in mid-answer. Send the message again.",
  },
  model_unavailable: {
    code: "unavailable",
    retryable: true,
    message: "The model can't be reached right now. Send the message again in a moment.",
  },
  model_overloaded: {
    code: "unavailable",
    retryable: true,
    message:
      "The model provider takes no more requests of this server right now. Send the message again in a moment.",
  },
  model_queue_full: {
    code: "resource_exhausted",
    retryable: true,
    message: "Too many messages wait for the model. Send the message again in a moment.",
  },
  model_rejected: {
    code: "failed_precondition",
    retryable: false,
    message:
      "The model provider rejected the request: the server's model settings (key, model name, base URL) need attention. Its log says why.",
  },
} as const;

export type ModelErrorKind = keyof typeof KINDS;

/** @param retryAfterMs how long the model asks to be left alone, in milliseconds. */
export function modelError(kind: ModelErrorKind, cause?: unknown, retryAfterMs?: number): AppError {
  const { code, retryable, message } = KINDS[kind];
  return new AppError(code, message, { retryable, meta: { reason: kind }, retryAfterMs, cause });
}
