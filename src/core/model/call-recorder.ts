import type { TokenUsage } from "./usage.ts";

/** Takes down each call that is made to answer one request: more than one, when it is tried again. */
export interface CallRecorder {
  /**
   * To be awaited before a call is sent: from then on it is accounted for, whatever becomes of this
   * process.
   *
   * @throws AppError `unavailable` when it can't be written down: then the call must not be sent.
   */
  begin(): RecordedCall | Promise<RecordedCall>;
}

/** A call that was begun and has not ended. */
export interface RecordedCall {
  /** Something of the answer has come; the first time counts. */
  answered(): void;
  /** To be called once; `usage` where the provider told it. */
  end(outcome: CallOutcome, usage?: TokenUsage): void;
}

/**
 * - `ok`: the model answered to the end, whatever the answer is worth.
 * - `failed`: the provider refused, broke off, or could not be reached.
 * - `aborted`: it was broken off from this side: nobody waited any more, its time was up, or it was silent too long.
 * - `unsent`: the call was not made after all.
 */
export type CallOutcome = "ok" | "failed" | "aborted" | "unsent";
