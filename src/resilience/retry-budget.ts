/** Each call earns a fifth of a retry, so that retries add at most 20 % to the requests of an upstream. */
const CALLS_PER_RETRY = 5;
/** Retries that are there from the start, so that few calls can be retried too. */
const RESERVE = 10;

/**
 * What an upstream's calls may spend on retries: when most of them fail, retrying each of them would
 * only add to the load that makes them fail.
 */
export class RetryBudget {
  /** In fifths of a retry. */
  #saved = RESERVE * CALLS_PER_RETRY;

  /** A call makes its first request. */
  earn(): void {
    this.#saved = Math.min(this.#saved + 1, RESERVE * CALLS_PER_RETRY);
  }

  /** Whether there is a retry left; takes it. */
  spend(): boolean {
    if (this.#saved < CALLS_PER_RETRY) return false;
    this.#saved -= CALLS_PER_RETRY;
    return true;
  }
}
