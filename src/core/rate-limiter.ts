/** How often something may be done. */
export interface RateLimit {
  /** Times in a second; at least 1. */
  readonly rps: number;
  /** Times beyond that in {@link BURST_WINDOW_SECONDS}. */
  readonly burst: number;
}

/** After so long a burst that was used up is there again, in seconds. */
export const BURST_WINDOW_SECONDS = 60;

/** What a rate limit says to one request. */
export interface Allowance {
  readonly allowed: boolean;
  /** What is left of this second, without the burst. */
  readonly remaining: number;
  /** How soon there is more, in milliseconds. */
  readonly resetMs: number;
}

/** Counts against one {@link RateLimit}: the port that memory and Redis implement. */
export interface RateLimiter {
  /**
   * Counts one request of `key`, and says whether it may pass. Never rejects: where a count can't be
   * shared with the other processes, this one counts for itself.
   */
  take(key: string): Promise<Allowance>;
}
