import { join } from "node:path";
import { mongoMigrations } from "../migrations/mongo/index.ts";
import { sqliteMigrations } from "../migrations/sqlite/index.ts";
import type { Config } from "./config.ts";
import type { Cache } from "./core/cache.ts";
import type { ConversationStore } from "./core/chat/conversation-store.ts";
import type { SessionStore } from "./core/chat/session-store.ts";
import type { Clock } from "./core/clock.ts";
import type { UsageStore } from "./core/ledger/usage-store.ts";
import type { Logger } from "./core/logger.ts";
import type { RateLimit, RateLimiter } from "./core/rate-limiter.ts";
import { MigrationRunner } from "./migrations/runner.ts";
import type { StoreWatch } from "./observability/stores.ts";
import { MemoryCache } from "./stores/memory/cache.ts";
import { MemoryRateLimiter } from "./stores/memory/rate-limiter.ts";
import type { RedisServers } from "./stores/redis/index.ts";
import { SqliteConversationStore } from "./stores/sqlite/conversation-store.ts";
import { SqliteDatabase } from "./stores/sqlite/database.ts";
import { SqliteMigrationTarget } from "./stores/sqlite/migrate.ts";
import { SqliteSessionStore } from "./stores/sqlite/session-store.ts";
import { SqliteUsageStore } from "./stores/sqlite/usage-store.ts";
import type { Dependency } from "./transport/health.ts";
import type { Primary } from "./workers/primary.ts";
import { SharedRateLimiter } from "./workers/shared-rate-limiter.ts";

export interface Stores {
  readonly conversations: ConversationStore;
  readonly sessions: SessionStore;
  readonly usage: UsageStore;
  readonly cache: Cache;
  readonly createRateLimiter: (limit: RateLimit) => RateLimiter;
  readonly dependencies: readonly Dependency[];
  /** Where they are, one line each, for people; never with credentials. */
  readonly description: readonly string[];
  close(): Promise<void>;
}

/** Where conversations, sessions and the ledger are kept for good. */
type DurableStores = Omit<Stores, "cache" | "createRateLimiter">;

/**
 * Opens the stores that the configuration names; the part of the composition that programs share.
 *
 * @throws Error that says what to do when they can't be used, or have another schema.
 */
export async function openStores(
  config: Config,
  clock: Clock,
  log: Logger,
  watch: StoreWatch,
  primary?: Primary,
): Promise<Stores> {
  const durable = await (config.MONGO_URI === undefined
    ? openSqlite(config, log, watch, primary?.isFirst ?? true)
    : openMongo(config, config.MONGO_URI, watch));
  const own: Omit<Stores, "cache"> = {
    ...durable,
    createRateLimiter(limit) {
      const counts = new MemoryRateLimiter(limit);
      return primary ? new SharedRateLimiter(primary, limit, counts) : counts;
    },
  };
  const servers = redisServers(config);
  if (servers) return withRedis(own, servers, config, clock, log, watch);
  return { ...own, cache: new MemoryCache(config.CACHE_MAX_MB * 1_048_576, clock) };
}

/** @param migrates whether the file's schema is changed where it is an older one. */
async function openSqlite(
  config: Config,
  log: Logger,
  watch: StoreWatch,
  migrates: boolean,
): Promise<DurableStores> {
  const database = await openSqliteDatabase(join(config.DATA_DIR, "parley.db"), log, migrates);
  const conversations = new SqliteConversationStore(database);
  return {
    conversations: watch.conversations("sqlite", conversations),
    sessions: watch.sessions("sqlite", new SqliteSessionStore(database, sessionTtlMs(config))),
    usage: watch.usage("sqlite", new SqliteUsageStore(database)),
    dependencies: [{ name: "sqlite", required: true, check: () => conversations.ping() }],
    description: [`Conversations and sessions: SQLite in ${database.path}`],
    close: async () => database.close(),
  };
}

async function openSqliteDatabase(path: string, log: Logger, migrates: boolean): Promise<SqliteDatabase> {
  const report = (line: string) => log.info({}, line);
  const open = async <T>(alone: boolean, work: (schema: MigrationRunner<string>) => Promise<T>) => {
    const database = new SqliteDatabase(path, { alone });
    try {
      const target = new SqliteMigrationTarget(database);
      return { database, result: await work(new MigrationRunner(target, sqliteMigrations, { report })) };
    } catch (error) {
      database.close();
      throw error;
    }
  };
  const { database, result: isOlder } = await open(false, async (schema) => {
    if (!migrates) await schema.requireCurrent();
    else if (await schema.isOlder()) return true;
    else await schema.up();
    return false;
  });
  if (!isOlder) return database;
  database.close();
  // An older server that has the file open would go on writing into the new schema in the old ways.
  const alone = await open(true, (schema) => schema.up());
  alone.database.close();
  return new SqliteDatabase(path);
}

async function openMongo(config: Config, uri: string, watch: StoreWatch): Promise<DurableStores> {
  // Loaded here: without MongoDB nobody waits for its driver.
  const mongo = await import("./stores/mongo/index.ts");
  const database = new mongo.MongoDatabase({
    uri,
    timeoutMs: config.MONGO_TIMEOUT_MS,
    maxPoolSize: config.MONGO_POOL_SIZE,
    appName: config.MONGO_APP_NAME,
  });
  const conversations = new mongo.MongoConversationStore(database);
  try {
    const target = new mongo.MongoMigrationTarget(database);
    await new MigrationRunner(target, mongoMigrations).requireCurrent();
  } catch (error) {
    await database.close();
    throw error;
  }
  return {
    conversations: watch.conversations("mongodb", conversations),
    sessions: watch.sessions("mongodb", new mongo.MongoSessionStore(database, sessionTtlMs(config))),
    usage: watch.usage("mongodb", new mongo.MongoUsageStore(database)),
    dependencies: [{ name: "mongodb", required: true, check: () => conversations.ping() }],
    description: [`Conversations and sessions: MongoDB, database ${database.db.databaseName}`],
    close: () => database.close(),
  };
}

async function withRedis(
  own: Omit<Stores, "cache">,
  servers: RedisServers,
  config: Config,
  clock: Clock,
  log: Logger,
  watch: StoreWatch,
): Promise<Stores> {
  const redis = await import("./stores/redis/index.ts");
  const client = new redis.RedisClient(servers, { log, clock, commandTimeoutMs: config.REDIS_TIMEOUT_MS });
  const check = async () => {
    if (!client.isUp) throw new Error("Redis is down");
  };
  return {
    ...own,
    sessions: watch.sessions(
      "redis",
      new redis.RedisSessionStore(client, own.sessions, sessionTtlMs(config)),
    ),
    cache: watch.cache("redis", new redis.RedisCache(client)),
    createRateLimiter: (limit) => new redis.RedisRateLimiter(client, limit, own.createRateLimiter(limit)),
    dependencies: [...own.dependencies, { name: "redis", required: false, check }],
    description: [...own.description, "Sessions and caches also in Redis, and the counts of rate limits"],
    async close() {
      client.close();
      await own.close();
    },
  };
}

function redisServers(config: Config): RedisServers | undefined {
  if (config.REDIS_URL) return { url: config.REDIS_URL };
  const login = {
    username: config.REDIS_USERNAME,
    password: config.REDIS_PASSWORD,
    tls: config.REDIS_TLS,
  };
  if (config.REDIS_CLUSTER) return { ...login, nodes: config.REDIS_CLUSTER };
  if (!config.REDIS_SENTINELS) return undefined;
  return { ...login, sentinels: config.REDIS_SENTINELS, masterName: config.REDIS_MASTER_NAME };
}

function sessionTtlMs(config: Config): number {
  return config.SESSION_TTL_MINUTES * 60_000;
}
