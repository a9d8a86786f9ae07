import { BurstyRateLimiter, RateLimiterRedis } from "rate-limiter-flexible";
import {
  type Allowance,
  BURST_WINDOW_SECONDS,
  type RateLimit,
  type RateLimiter,
} from "../../core/rate-limiter.ts";
import { consume } from "../rate-limits.ts";
import { type RedisClient, redisKey } from "./client.ts";

/** What the library calls its script with. */
interface ScriptCall {
  readonly keys: readonly [string];
  readonly arguments: readonly string[];
}

/**
 * Counts that all processes share. What Redis can't count the fallback counts, so that without Redis
 * nobody is refused for its sake, and nobody is let in without a limit.
 */
export class RedisRateLimiter implements RateLimiter {
  readonly #limiter: BurstyRateLimiter;
  readonly #fallback: RateLimiter;

  constructor(redis: RedisClient, { rps, burst }: RateLimit, fallback: RateLimiter) {
    this.#fallback = fallback;
    this.#limiter = new BurstyRateLimiter(
      counter(redis, "rate", rps, 1),
      counter(redis, "burst", burst, BURST_WINDOW_SECONDS),
    );
  }

  async take(key: string): Promise<Allowance> {
    try {
      return await consume(this.#limiter, key);
    } catch {
      return this.#fallback.take(key);
    }
  }
}

/** The library's counter, whose commands go the way of all others: bounded in time, and not at all while Redis is down. */
function counter(redis: RedisClient, kind: string, points: number, duration: number): RateLimiterRedis {
  const storeClient = {
    async eval(script: string, call: ScriptCall) {
      const key = redisKey(kind, ...call.keys);
      const counted = await redis.run(key, (commands) => commands.eval(script, 1, key, ...call.arguments));
      if (counted === undefined) throw new Error("Redis is down");
      return counted;
    },
  };
  return new RateLimiterRedis({
    storeClient,
    // The package `redis` passes keys and arguments by name, as above.
    useRedisPackage: true,
    keyPrefix: "",
    points,
    duration,
    // Whoever has used up a window is refused without asking Redis, until it ends.
    inMemoryBlockOnConsumed: points,
  });
}
