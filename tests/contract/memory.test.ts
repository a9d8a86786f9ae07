import { expect, test } from "@jest/globals";
import { MemoryCache } from "../../src/stores/memory/cache.ts";
import { MemoryRateLimiter } from "../../src/stores/memory/rate-limiter.ts";
import { systemClock } from "../../src/system-clock.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { cacheContract } from "./cache.suite.ts";
import { rateLimiterContract } from "./rate-limiter.suite.ts";

const HOUR = 3_600_000;

cacheContract("memory", async () => ({
  cache: new MemoryCache(1_000_000, systemClock),
  close: () => undefined,
}));

rateLimiterContract("memory", async () => ({
  create: (limit) => new MemoryRateLimiter(limit),
  close: () => undefined,
}));

const entry = (chars: number) => ({ json: "x".repeat(chars), storedAt: 0 });

test("MemoryCache: when it is full, the entries used longest ago go", async () => {
  const cache = new MemoryCache(10_000, new FakeClock());
  for (const key of ["a", "b", "c"]) await cache.set(key, entry(1_500), HOUR);
  await cache.get("a");
  await cache.set("d", entry(1_500), HOUR);
  expect(await cache.get("b")).toBeUndefined();
  for (const key of ["a", "c", "d"]) expect(await cache.get(key)).toEqual(entry(1_500));
});

test("MemoryCache: replacing an entry frees its room", async () => {
  const cache = new MemoryCache(10_000, new FakeClock());
  await cache.set("a", entry(1_500), HOUR);
  for (let round = 0; round < 10; round++) await cache.set("b", entry(1_500), HOUR);
  expect(await cache.get("a")).toEqual(entry(1_500));
});

test("MemoryCache: an entry too large for it is not kept, and neither is the one it replaces", async () => {
  const cache = new MemoryCache(10_000, new FakeClock());
  await cache.set("a", entry(1), HOUR);
  await cache.set("b", entry(1), HOUR);
  await cache.set("a", entry(5_000), HOUR);
  expect(await cache.get("a")).toBeUndefined();
  expect(await cache.get("b")).toEqual(entry(1));
});

test("MemoryCache: an entry lasts until its time is up, to the millisecond", async () => {
  const clock = new FakeClock();
  const cache = new MemoryCache(10_000, clock);
  await cache.set("a", entry(1), HOUR);
  await clock.advance(HOUR - 1);
  expect(await cache.get("a")).toEqual(entry(1));
  await clock.advance(1);
  expect(await cache.get("a")).toBeUndefined();
});
