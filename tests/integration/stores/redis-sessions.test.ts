import { afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import type { SessionStore } from "../../../src/core/chat/session-store.ts";
import { AppError } from "../../../src/core/errors.ts";
import { randomIds } from "../../../src/core/ids.ts";
import type { RedisClient } from "../../../src/stores/redis/client.ts";
import { RedisSessionStore } from "../../../src/stores/redis/session-store.ts";
import { eventually } from "../../support/eventually.ts";
import { describeRedis, type RedisProcess, startRedis } from "../../support/redis.ts";
import { connectRedis, openTruth } from "../../support/redis-stores.ts";

const T0 = Date.parse("2026-11-21T09:00:00Z");
const TTL = 60_000;
const ids = randomIds(() => T0);
const [first, second, unused] = [ids.next(), ids.next(), ids.next()];

describeRedis("RedisSessionStore", (start) => {
  let server: RedisProcess;
  let client: RedisClient;
  let truth: SessionStore;
  let sessions: RedisSessionStore;
  let closeTruth: () => Promise<void>;
  let asked: jest.SpiedFunction<SessionStore["resolve"]>;

  beforeAll(async () => {
    server = (await start(startRedis())).process;
  });
  beforeEach(async () => {
    await server.cli("flushall");
    ({ client } = await connectRedis({ url: `redis://127.0.0.1:${server.port}` }));
    ({ truth, close: closeTruth } = await openTruth(TTL));
    asked = jest.spyOn(truth, "resolve");
    sessions = new RedisSessionStore(client, truth, TTL);
  });
  afterEach(async () => {
    client.close();
    await closeTruth();
  });

  test("Redis answers, and the truth is asked once in a tenth of the idle time", async () => {
    for (let at = 0; at < 60_000; at += 1_000) {
      expect(await sessions.resolve("s", at === 0 ? first : unused, T0 + at)).toBe(first);
    }
    expect(asked.mock.calls.map(([, , now]) => now - T0)).toEqual(
      [0, 6, 12, 18, 24, 30, 36, 42, 48, 54].map((seconds) => seconds * 1_000),
    );
  });

  test("a session that only Redis saw in use does not end early", async () => {
    await sessions.resolve("s", first, T0);
    await sessions.resolve("s", unused, T0 + 5_000);
    expect(asked).toHaveBeenCalledTimes(1);
    // For the truth it ended at 60 s.
    expect(await sessions.resolve("s", unused, T0 + 64_000)).toBe(first);
    expect(await truth.resolve("s", unused, T0 + 64_001)).toBe(first);
  });

  test("where the two differ the truth wins, at its next check", async () => {
    await sessions.bind("s", first, T0);
    await truth.bind("s", second, T0 + 1);
    expect(await sessions.resolve("s", unused, T0 + 6_000)).toBe(second);
    expect(await sessions.resolve("s", unused, T0 + 6_001)).toBe(second);
  });

  test("what is not ours in Redis is nothing", async () => {
    await sessions.bind("s", first, T0);
    const [key = ""] = (await server.cli("keys", "*session*")).split("\n");
    for (const value of ["no JSON", "{}", "null"]) {
      await server.cli("set", key, value);
      expect(await sessions.resolve("s", unused, T0 + 1)).toBe(first);
      expect(await server.cli("get", key)).toContain(first);
    }
  });

  test("a slow reader of the truth does not undo a bind", async () => {
    await truth.bind("s", first, T0);
    asked.mockImplementationOnce(async () => {
      await sessions.bind("s", second, T0 + 2);
      return first;
    });
    expect(await sessions.resolve("s", unused, T0 + 1)).toBe(first);
    expect(await sessions.resolve("s", unused, T0 + 3)).toBe(second);
  });

  test("a bind that Redis did not take leaves nothing stale, for any process", async () => {
    const other = (await connectRedis({ url: `redis://127.0.0.1:${server.port}` })).client;
    try {
      await sessions.bind("s", first, T0);
      const [key = ""] = (await server.cli("keys", "*session*")).split("\n");
      // Up, and taking no writes: what it has stays, and can be read.
      await server.cli("config", "set", "min-replicas-to-write", "1");
      await sessions.bind("s", second, T0 + 1);
      expect(client.isUp).toBe(false);
      expect(await server.cli("get", key)).toContain(first);
      expect(await sessions.resolve("s", unused, T0 + 2)).toBe(second);

      await server.cli("config", "set", "min-replicas-to-write", "0");
      await eventually(() => client.isUp);
      expect(await server.cli("exists", key)).toBe("0");
      const elsewhere = new RedisSessionStore(other, truth, TTL);
      expect(await elsewhere.resolve("s", unused, T0 + 3)).toBe(second);
      expect(await sessions.resolve("s", unused, T0 + 4)).toBe(second);
    } finally {
      await server.cli("config", "set", "min-replicas-to-write", "0");
      other.close();
    }
  });

  test("a bind of unknown outcome fails, and Redis is not believed after it", async () => {
    await sessions.bind("s", first, T0);
    const bind = truth.bind.bind(truth);
    jest.spyOn(truth, "bind").mockImplementationOnce(async (...args) => {
      await bind(...args);
      throw new AppError("unavailable", "The answer was lost.");
    });
    await expect(sessions.bind("s", second, T0 + 1)).rejects.toThrow("The answer was lost.");
    expect(await sessions.resolve("s", unused, T0 + 2)).toBe(second);
  });

  test("a truth that fails fails the call, and Redis stays in use", async () => {
    asked.mockRejectedValueOnce(new AppError("unavailable", "The store is down."));
    await expect(sessions.resolve("s", first, T0)).rejects.toThrow("The store is down.");
    expect(client.isUp).toBe(true);
  });
});
