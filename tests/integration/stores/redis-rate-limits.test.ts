import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { RateLimiter } from "../../../src/core/rate-limiter.ts";
import { MemoryRateLimiter } from "../../../src/stores/memory/rate-limiter.ts";
import type { RedisClient } from "../../../src/stores/redis/client.ts";
import { RedisRateLimiter } from "../../../src/stores/redis/rate-limiter.ts";
import { eventually } from "../../support/eventually.ts";
import { describeRedis, type RedisProcess, startRedis } from "../../support/redis.ts";
import { connectRedis } from "../../support/redis-stores.ts";

const LIMIT = { rps: 10, burst: 20 };

describeRedis("Rate limits of two processes", (start) => {
  let redis: RedisProcess;
  let clients: RedisClient[];
  let limiters: RateLimiter[];

  beforeEach(async () => {
    ({ process: redis } = await start(startRedis()));
    const connected = await Promise.all(
      [1, 2].map(() => connectRedis({ url: `redis://127.0.0.1:${redis.port}` })),
    );
    clients = connected.map(({ client }) => client);
    limiters = clients.map((client) => new RedisRateLimiter(client, LIMIT, new MemoryRateLimiter(LIMIT)));
  });
  afterEach(() => {
    for (const client of clients) client.close();
  });

  /** How many of 200 requests pass, from each process in turn. */
  async function passing(key: string): Promise<number> {
    const taken = await Promise.all(
      Array.from({ length: 200 }, (_, index) => limiters[index % 2]?.take(key)),
    );
    return taken.filter((allowance) => allowance?.allowed).length;
  }

  test("are one limit, which leaves nothing behind", async () => {
    expect(await passing("203.0.113.7")).toBe(30);
    const names = (await redis.cli("keys", "*")).split("\n").filter((name) => !name.includes("probe"));
    expect(names.sort()).toEqual([
      expect.stringMatching(/^parley:v1:burst:\{[0-9a-f]{64}\}$/),
      expect.stringMatching(/^parley:v1:rate:\{[0-9a-f]{64}\}$/),
    ]);
    for (const name of names) expect(Number(await redis.cli("pttl", name))).toBeGreaterThan(0);
  });

  test("are one limit each while Redis is away, and one again when it is back", async () => {
    await redis.kill();
    expect(await passing("a")).toBe(60);
    await redis.restart();
    await eventually(() => clients.every(({ isUp }) => isUp));
    expect(await passing("b")).toBe(30);
  });

  test("still hold while Redis hangs", async () => {
    redis.pause();
    expect(await passing("a")).toBe(60);
    redis.resume();
    await eventually(() => clients.every(({ isUp }) => isUp));
    expect(await passing("b")).toBe(30);
  });
});
