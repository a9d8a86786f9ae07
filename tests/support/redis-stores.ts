import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, type RedisServers } from "../../src/stores/redis/client.ts";
import { SqliteSessionStore } from "../../src/stores/sqlite/session-store.ts";
import { systemClock } from "../../src/system-clock.ts";
import { eventually } from "./eventually.ts";
import { openSqlite } from "./sqlite.ts";
import { TestLog } from "./test-log.ts";

/** A client, once it is connected, and what it logs. */
export async function connectRedis(servers: RedisServers): Promise<{ client: RedisClient; log: TestLog }> {
  const log = new TestLog();
  const client = new RedisClient(servers, { log, clock: systemClock });
  await eventually(() => client.isUp);
  return { client, log };
}

/** Sessions in a file of their own: the truth behind Redis. */
export async function openTruth(
  ttlMs: number,
): Promise<{ truth: SqliteSessionStore; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "parley-truth-"));
  const database = await openSqlite(join(folder, "parley.db"));
  return {
    truth: new SqliteSessionStore(database, ttlMs),
    async close() {
      database.close();
      await rm(folder, { recursive: true });
    },
  };
}
