import type { IncomingHttpHeaders } from "node:http";
import type { AppError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";

/** Sees requests come and go, for the log, meters and traces. It never throws. */
export interface RequestObserver {
  begin(request: RequestHead, log: Logger): RequestObservation;
}

export interface RequestHead {
  readonly method: string;
  /** One of the few that there are, or `other`. */
  readonly path: string;
}

/** One request; {@link end} is called once. */
export interface RequestObservation {
  /** Runs what is done for a request that was let in: once, at once, and its outcome is passed on. */
  serve<T>(headers: IncomingHttpHeaders, run: () => Promise<T>): Promise<T>;
  /** It is answered. */
  end(outcome: RequestOutcome): void;
}

export interface RequestOutcome {
  /** Of HTTP. */
  readonly status: number;
  /** Absent without a key. */
  readonly principal?: string;
  /** What was answered, when that was an error. */
  readonly error?: AppError;
}
