import { beforeAll, beforeEach, describe } from "@jest/globals";
import { MemoryRateLimiter } from "../../src/stores/memory/rate-limiter.ts";
import { RedisCache } from "../../src/stores/redis/cache.ts";
import { RedisRateLimiter } from "../../src/stores/redis/rate-limiter.ts";
import { RedisSessionStore } from "../../src/stores/redis/session-store.ts";
import {
  describeRedis,
  type RedisUnderTest,
  startRedis,
  startRedisCluster,
  startSentinelPair,
} from "../support/redis.ts";
import { connectRedis, openTruth } from "../support/redis-stores.ts";
import { cacheContract } from "./cache.suite.ts";
import { rateLimiterContract } from "./rate-limiter.suite.ts";
import { sessionStoreContract } from "./session-store.suite.ts";

const kinds: [string, () => Promise<RedisUnderTest>][] = [
  ["Redis", startRedis],
  ["Redis Cluster", startRedisCluster],
  ["Redis Sentinel", startSentinelPair],
];

describeRedis("Redis", (start) => {
  describe.each(kinds)("%s", (name, startKind) => {
    let redis: RedisUnderTest;

    beforeAll(async () => {
      redis = await start(startKind());
    });
    // The session suite uses the same keys in each of its tests.
    beforeEach(async () => {
      for (const { cli } of redis.processes) await cli("flushall");
    });

    sessionStoreContract(name, async (ttlMs) => {
      const [{ client }, { truth, close }] = await Promise.all([
        connectRedis(redis.servers),
        openTruth(ttlMs),
      ]);
      return {
        sessions: new RedisSessionStore(client, truth, ttlMs),
        close() {
          client.close();
          return close();
        },
      };
    });

    cacheContract(name, async () => {
      const { client } = await connectRedis(redis.servers);
      return { cache: new RedisCache(client), close: () => client.close() };
    });

    rateLimiterContract(name, async () => {
      const { client } = await connectRedis(redis.servers);
      return {
        create: (limit) => new RedisRateLimiter(client, limit, new MemoryRateLimiter(limit)),
        close: () => client.close(),
      };
    });
  });
});
