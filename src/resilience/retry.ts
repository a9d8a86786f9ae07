import pRetry from "p-retry";
import type { Clock } from "../core/clock.ts";
import { timeLeft } from "../core/deadline.ts";

export interface RetryPolicy {
  /** Of one call, the first included. */
  readonly maxAttempts: number;
  /** The longest wait before the second attempt, in milliseconds; it doubles with each further one. */
  readonly baseDelayMs: number;
  /** The longest wait that we choose, in milliseconds. An upstream may ask for a longer one. */
  readonly maxDelayMs: number;
}

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Ends the waiting, and with its deadline bounds it: a wait that would outlast it is not begun. */
  readonly signal: AbortSignal;
  /**
   * Whether an attempt that failed so may be followed by another, and after how many milliseconds at the
   * earliest.
   */
  mayRetry(error: unknown): false | { readonly notBeforeMs: number };
  /** Asked last: whether another attempt can be afforded. */
  afford(): boolean;
  onRetry(attempt: number, waitMs: number): void;
}

/** Carries what was thrown past p-retry, which takes no other values than errors of its own realm. */
class FailedAttempt extends Error {
  constructor(override readonly cause: unknown) {
    super("An attempt failed", { cause });
  }
}

/**
 * Makes a call that has failed again while that may help, with full jitter: each wait is a random part of the
 * longest one, so that calls that failed together don't come back together. A wait that the upstream asked
 * for is kept in full, and jittered on top.
 *
 * @param failure what the first attempt threw.
 * @throws what the last attempt threw, or the signal's reason.
 */
export async function tryAgain<T>(
  failure: unknown,
  attempt: () => Promise<T>,
  { policy, clock, random, signal, ...options }: RetryOptions,
): Promise<T> {
  try {
    // Not given the signal: p-retry would drop the result of an attempt that ends as the signal aborts,
    // and nobody would let go of what it holds.
    return await pRetry(
      async (number) => {
        if (number === 1) throw new FailedAttempt(failure);
        try {
          return await attempt();
        } catch (error) {
          throw new FailedAttempt(error);
        }
      },
      {
        retries: policy.maxAttempts - 1,
        // The waits are ours: p-retry's are on the process's clock, and its jitter is not a full one.
        minTimeout: 0,
        async shouldRetry({ error, attemptNumber }) {
          if (signal.aborted) return false;
          const again = options.mayRetry(error.cause);
          if (!again) return false;
          const longest = Math.min(policy.baseDelayMs * 2 ** (attemptNumber - 1), policy.maxDelayMs);
          const ownMs = Math.round(random() * longest);
          const waitMs = again.notBeforeMs + ownMs;
          if (waitMs >= timeLeft(signal, clock) || !options.afford()) return false;
          options.onRetry(attemptNumber, waitMs);
          await clock.sleep(waitMs, signal);
          return true;
        },
      },
    );
  } catch (error) {
    throw error instanceof FailedAttempt ? error.cause : error;
  }
}
