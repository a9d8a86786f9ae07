import { expect, test } from "@jest/globals";
import type { RateLimit, RateLimiter } from "../../../src/core/rate-limiter.ts";
import { MemoryRateLimiter } from "../../../src/stores/memory/rate-limiter.ts";
import { SharedRateLimiter } from "../../../src/workers/shared-rate-limiter.ts";
import { rateLimiterContract } from "../../contract/rate-limiter.suite.ts";
import { connect } from "../../support/workers.ts";

const LIMIT = { rps: 10, burst: 20 };
const none: RateLimiter = { take: () => Promise.reject(new Error("The fallback was not to be used")) };

/** A worker's limiter, whose counts are kept at the other end. */
function sharing(counts: RateLimiter, limit: RateLimit, fallback = none): RateLimiter {
  const { near } = connect({}, { take: (key: string) => counts.take(key) });
  return new SharedRateLimiter({ take: (_, key) => near.ask("take", key, 5_000) }, limit, fallback);
}

rateLimiterContract("the primary's, from a worker", async () => ({
  create: (limit) => sharing(new MemoryRateLimiter(limit), limit),
  close: () => undefined,
}));

test("two workers count together", async () => {
  const counts = new MemoryRateLimiter(LIMIT);
  const workers = [sharing(counts, LIMIT), sharing(counts, LIMIT)];
  const taken = await Promise.all(
    Array.from({ length: 200 }, (_, index) => workers[index % 2]?.take("203.0.113.7")),
  );
  expect(taken.filter((allowance) => allowance?.allowed)).toHaveLength(30);
});

test("while the primary can't count, each worker counts for itself", async () => {
  const worker = sharing(none, LIMIT, new MemoryRateLimiter(LIMIT));
  const taken = await Promise.all(Array.from({ length: 200 }, () => worker.take("203.0.113.7")));
  expect(taken.filter(({ allowed }) => allowed)).toHaveLength(30);
});
