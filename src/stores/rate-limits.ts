import { type BurstyRateLimiter, RateLimiterRes } from "rate-limiter-flexible";
import type { Allowance } from "../core/rate-limiter.ts";

/**
 * What the library says to one request of a key, which rejects where it means no.
 *
 * @throws what its store throws.
 */
export function consume(limiter: BurstyRateLimiter, key: string): Promise<Allowance> {
  const toAllowance = (allowed: boolean) => (result: RateLimiterRes) => ({
    allowed,
    remaining: result.remainingPoints,
    resetMs: result.msBeforeNext,
  });
  return limiter.consume(key).then(toAllowance(true), (refusal: unknown) => {
    if (refusal instanceof RateLimiterRes) return toAllowance(false)(refusal);
    throw refusal;
  });
}
