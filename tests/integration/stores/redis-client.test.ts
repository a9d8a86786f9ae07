import { afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { RedisCache } from "../../../src/stores/redis/cache.ts";
import { RedisClient, type RedisServers, redisKey } from "../../../src/stores/redis/client.ts";
import { RedisSessionStore } from "../../../src/stores/redis/session-store.ts";
import { systemClock } from "../../../src/system-clock.ts";
import { eventually } from "../../support/eventually.ts";
import { describeRedis, type RedisUnderTest, startRedis } from "../../support/redis.ts";
import { openTruth } from "../../support/redis-stores.ts";
import { TestLog } from "../../support/test-log.ts";

test.each(["", "localhost", "http://me:hidden@localhost", "redis//me:hidden@x"])(
  "%j is no Redis URL, and is not repeated",
  (url) => {
    const make = () => new RedisClient({ url }, { log: new TestLog(), clock: systemClock });
    expect(make).toThrow(/^The Redis URL can't be used\. It must look like redis:\/\/(?!.*hidden)/);
  },
);

test("keys have a version, a kind and a digest as their hash tag", () => {
  const key = redisKey("session", "Ann");
  expect(key).toMatch(/^parley:v1:session:\{[0-9a-f]{64}\}$/);
  expect(redisKey("session", "a", "b")).not.toBe(redisKey("session", "ab"));
});

describeRedis("RedisClient", (start) => {
  let redis: RedisUnderTest;
  let log: TestLog;
  const clients: RedisClient[] = [];

  beforeAll(async () => {
    redis = await start(startRedis(["--requirepass", "right-secret"]));
  });
  beforeEach(() => {
    log = new TestLog();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  function connect(servers: RedisServers): RedisClient {
    const client = new RedisClient(servers, { log, clock: systemClock });
    clients.push(client);
    return client;
  }

  function urlWith(password: string): string {
    return `redis://:${password}@127.0.0.1:${redis.processes[0]?.port}`;
  }

  test("it need not be there at the start, and is used when it comes", async () => {
    await redis.processes[0]?.kill();
    const client = connect({ url: urlWith("right-secret") });
    const cache = new RedisCache(client);
    await cache.set("a", { json: "1", storedAt: 0 }, 60_000);
    expect(await cache.get("a")).toBeUndefined();
    await eventually(() => log.lines.length > 0);
    expect(log.lines).toEqual([
      {
        level: "warn",
        message: "Redis can't be used; going on without it",
        fields: { reason: expect.stringContaining("ECONNREFUSED") },
      },
    ]);
    await redis.processes[0]?.restart();
    await eventually(() => client.isUp);
    await cache.set("a", { json: "1", storedAt: 0 }, 60_000);
    expect(await cache.get("a")).toEqual({ json: "1", storedAt: 0 });
    expect(log.at("info")).toEqual(["Redis is in use"]);
  });

  test("passwords are not logged, neither refused nor used", async () => {
    const refused = connect({ url: urlWith("wrong-secret") });
    await eventually(() => log.lines.length > 0);
    const client = connect({ url: urlWith("right-secret") });
    await eventually(() => client.isUp);
    expect(refused.isUp).toBe(false);
    expect(log.at("warn")).toHaveLength(1);
    expect(JSON.stringify(log.lines)).not.toContain("secret");
  });

  test("no key holds what a user wrote, and all of them go by themselves", async () => {
    const client = connect({ url: urlWith("right-secret") });
    await eventually(() => client.isUp);
    const { truth, close } = await openTruth(60_000);
    await new RedisSessionStore(client, truth, 60_000).bind("user text", "0".repeat(24), 0);
    await new RedisCache(client).set("user text", { json: "1", storedAt: 0 }, 60_000);
    await close();
    const cli = async (...args: string[]) =>
      (await redis.processes[0]?.cli("--no-auth-warning", "-a", "right-secret", ...args)) ?? "";
    const keys = (await cli("keys", "*")).split("\n");
    expect(keys.length).toBeGreaterThanOrEqual(2);
    for (const key of keys) {
      expect(key).toMatch(/^parley:v1:(session|cache|probe):\{[0-9a-f]{64}\}$/);
      expect(Number(await cli("pttl", key))).not.toBe(-1);
    }
  });

  test("closed, it serves nothing and says nothing more", async () => {
    const client = connect({ url: urlWith("right-secret") });
    await eventually(() => client.isUp);
    client.close();
    expect(await client.run(redisKey("test"), (commands) => commands.get("a"))).toBeUndefined();
    expect(log.lines).toHaveLength(1);
  });
});
