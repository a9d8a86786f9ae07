/**
 * What may be said in the log besides the message: no line has another field, and none of these ever
 * holds user text or a secret. Durations are in milliseconds.
 */
export const LOG_FIELDS = [
  "attempt",
  "code",
  "conversation_id",
  "duration_ms",
  "err",
  "faults",
  "input_tokens",
  "method",
  "model",
  "model_ms",
  "outcome",
  "output_tokens",
  "path",
  "principal",
  "provider",
  "reason",
  "refused",
  "request_id",
  "seq",
  "status",
  "steps",
  "tool",
  "tool_calls",
  "tool_ms",
  "turn_id",
  "upstream",
  "wait_ms",
  "worker",
] as const;

export type LogFields = { readonly [Field in (typeof LOG_FIELDS)[number]]?: unknown };

type LogMethod = (fields: LogFields, message: string) => void;

/** The part of pino's interface that the core uses. */
export interface Logger {
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
  /** A log with these fields on each line. */
  child(fields: LogFields): Logger;
}
