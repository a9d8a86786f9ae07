/**
 * The one error type of Parley. Its codes are those of Twirp v7's specification ("Error Codes"),
 * so that every transport can map them by table.
 */
export const ERROR_CODES = [
  "canceled",
  "unknown",
  "invalid_argument",
  "malformed",
  "deadline_exceeded",
  "not_found",
  "bad_route",
  "already_exists",
  "permission_denied",
  "unauthenticated",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "dataloss",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface AppErrorOptions {
  /** Whether the same request may succeed when it is sent again later. Default: by code. */
  retryable?: boolean;
  /** Details for programs; sent to the client. Never secrets. */
  meta?: Readonly<Record<string, string>>;
  /**
   * How long to wait before the request is sent again, in milliseconds. The client reads it as meta
   * `retry_after`, and by HTTP as the header Retry-After, in whole seconds.
   */
  retryAfterMs?: number;
  /** What went wrong inside: for the log, never for the client. */
  cause?: unknown;
}

const RETRYABLE_BY_DEFAULT: ReadonlySet<ErrorCode> = new Set([
  "aborted",
  "deadline_exceeded",
  "resource_exhausted",
  "unavailable",
]);

export class AppError extends Error {
  override readonly name = "AppError";
  readonly retryable: boolean;
  readonly meta: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number;

  /** @param publicMessage says what went wrong and how to mend it; sent to the client as it is. */
  constructor(
    readonly code: ErrorCode,
    readonly publicMessage: string,
    options: AppErrorOptions = {},
  ) {
    super(publicMessage, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable ?? RETRYABLE_BY_DEFAULT.has(code);
    this.retryAfterMs = options.retryAfterMs;
    this.meta = {
      ...options.meta,
      ...(options.retryAfterMs !== undefined && {
        retry_after: String(Math.ceil(options.retryAfterMs / 1000)),
      }),
    };
  }
}

/** An `invalid_argument` whose meta names the argument, as Twirp's own servers do. */
export function invalidArgument(argument: string, problem: string): AppError {
  return new AppError("invalid_argument", `${argument} ${problem}`, { meta: { argument } });
}

/** The store of conversations has failed, and may work again by itself. */
export function storeUnavailable(cause: unknown): AppError {
  return new AppError(
    "unavailable",
    "The conversation store can't be used right now. Try again in a moment; the server's log says why.",
    { cause },
  );
}

/**
 * Any thrown value as an AppError. What is not one already becomes `internal` with a fixed text:
 * the text of an unknown error may hold anything and stays in the log.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("internal", "Something went wrong inside the server; its log says what.", {
    cause: error,
  });
}
