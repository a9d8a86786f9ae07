import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { randomIds } from "../../../src/core/ids.ts";
import { RedisCache } from "../../../src/stores/redis/cache.ts";
import type { RedisClient } from "../../../src/stores/redis/client.ts";
import { RedisSessionStore } from "../../../src/stores/redis/session-store.ts";
import { eventually } from "../../support/eventually.ts";
import {
  describeRedis,
  type RedisProcess,
  type RedisUnderTest,
  startRedis,
  startRedisCluster,
  startSentinelPair,
} from "../../support/redis.ts";
import { connectRedis, openTruth } from "../../support/redis-stores.ts";
import type { TestLog } from "../../support/test-log.ts";

const T0 = Date.parse("2026-11-21T09:00:00Z");
const TTL = 60_000;
const ids = randomIds(() => T0);
const SESSIONS = Array.from({ length: 20 }, (_, index) => ({ key: `s${index}`, id: ids.next() }));

describeRedis("Redis that fails", (start) => {
  let redis: RedisUnderTest;
  let client: RedisClient;
  let log: TestLog;
  let sessions: RedisSessionStore;
  let cache: RedisCache;
  let now: number;
  let close: () => Promise<void>;

  async function open(starting: Promise<RedisUnderTest>): Promise<void> {
    redis = await start(starting);
    ({ client, log } = await connectRedis(redis.servers));
    const truth = await openTruth(TTL);
    close = truth.close;
    sessions = new RedisSessionStore(client, truth.truth, TTL);
    cache = new RedisCache(client);
    for (const { key, id } of SESSIONS) await sessions.bind(key, id, now);
  }

  beforeEach(() => {
    now = T0;
  });
  afterEach(async () => {
    client.close();
    await close();
    await redis.stop();
  });

  function server(index: number): RedisProcess {
    const found = redis.processes[index];
    if (!found) throw new Error(`There is no server ${index}`);
    return found;
  }

  /** Everything at once: each session is still what it was, and the cache is a cache. */
  async function useAll(): Promise<void> {
    now += 1;
    await Promise.all(
      SESSIONS.map(async ({ key, id }) => {
        expect(await sessions.resolve(key, ids.next(), now)).toBe(id);
        await cache.set(key, { json: "1", storedAt: now }, TTL);
        await cache.get(key);
      }),
    );
  }

  /** Redis holds what was written just now. */
  async function expectInUse(): Promise<void> {
    await eventually(() => client.isUp);
    await useAll();
    expect(client.isUp).toBe(true);
    const entries = await Promise.all(SESSIONS.map(({ key }) => cache.get(key)));
    expect(entries).toEqual(SESSIONS.map(() => ({ json: "1", storedAt: now })));
  }

  const changes = () => log.lines.map(({ message }) => message);
  const IN_USE = "Redis is in use";
  const GONE = "Redis can't be used; going on without it";

  test("stopped: it is done without, and used again when it goes on", async () => {
    await open(startRedis());
    await expectInUse();
    server(0).pause();
    await useAll();
    expect(client.isUp).toBe(false);
    await useAll();
    server(0).resume();
    await expectInUse();
    expect(changes()).toEqual([IN_USE, GONE, IN_USE]);
  });

  test("killed: it is done without, and used again when it is back, empty", async () => {
    await open(startRedis());
    await Promise.all([useAll(), server(0).kill()]);
    await useAll();
    await eventually(() => !client.isUp);
    await useAll();
    await server(0).restart();
    await expectInUse();
    expect(changes()).toEqual([IN_USE, GONE, IN_USE]);
  });

  test("flushed: the sessions come from the truth", async () => {
    await open(startRedis());
    await expectInUse();
    await Promise.all([useAll(), server(0).cli("flushall")]);
    await server(0).cli("flushall");
    await expectInUse();
    expect(changes()).toEqual([IN_USE]);
  });

  test("connections dropped in the middle of calls: no call fails", async () => {
    await open(startRedis());
    for (let drop = 0; drop < 10; drop++) {
      await Promise.all([useAll(), server(0).cli("client", "kill", "type", "normal"), useAll()]);
    }
    await expectInUse();
  });

  test("full: it counts as down until it has room", async () => {
    await open(startRedis());
    await server(0).cli("config", "set", "maxmemory", "1");
    await useAll();
    expect(client.isUp).toBe(false);
    expect(log.lines.at(-1)?.fields).toEqual({ reason: expect.stringContaining("OOM") });
    await server(0).cli("config", "set", "maxmemory", "0");
    await expectInUse();
    expect(changes()).toEqual([IN_USE, GONE, IN_USE]);
  });

  test("a Cluster with a node stopped, then killed", async () => {
    await open(startRedisCluster());
    await expectInUse();
    server(1).pause();
    await useAll();
    expect(client.isUp).toBe(false);
    server(1).resume();
    await expectInUse();
    await server(1).kill();
    await useAll();
    await server(1).restart();
    await expectInUse();
  });

  test("a Sentinel pair whose master hangs: the replica takes over", async () => {
    await open(startSentinelPair());
    await expectInUse();
    server(0).pause();
    await useAll();
    expect(client.isUp).toBe(false);
    await expectInUse();
    expect(await server(1).cli("role")).toMatch(/^master/);
  });
});
