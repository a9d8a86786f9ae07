import { execFile } from "node:child_process";
import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import type { Bench, Servers } from "../harness/bench.ts";
import { NODE } from "../harness/server.ts";

/** A first start may have to build the server. */
const MONGO_START_MS = 180_000;

/** MongoDB and Redis, started for a benchmark and gone with it. */
export interface ProductionStores {
  /** Makes a database of its own for a server of the build in `dist`. */
  newDatabase(dist: string): Promise<ProductionDatabase>;
}

export interface ProductionDatabase {
  readonly mongoUri: string;
  /** What a Parley needs to use it. */
  readonly env: { readonly MONGO_URI: string; readonly REDIS_URL: string };
}

/** @throws Error that says what is missing. */
export async function startStores(bench: Bench, servers: Servers): Promise<ProductionStores> {
  const mongod = process.env.MONGOMS_SYSTEM_BINARY ?? onPath("mongod");
  if (!mongod) throw new Error("there is no mongod on the PATH, and no MONGOMS_SYSTEM_BINARY");
  const redisServer = onPath("redis-server");
  if (!redisServer) throw new Error("there is no redis-server on the PATH");

  const dbPath = join(bench.folder, "mongo");
  mkdirSync(dbPath);
  bench.progress.tell("starting MongoDB");
  const mongo = await servers.start({
    name: "MongoDB",
    command: (port) => [mongod, "--port", String(port), "--dbpath", dbPath, "--bind_ip", "127.0.0.1"],
    // The test server's commits are real only when it is asked for that; a mongod's always are.
    env: { MONGO_FSYNC: "on" },
    logFile: join(bench.folder, "mongod.log"),
    timeoutMs: MONGO_START_MS,
  });
  const redis = await servers.start({
    name: "Redis",
    command: (port) => [
      redisServer,
      ...[
        "--port",
        String(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        bench.folder,
        "--save",
        "",
        "--appendonly",
        "no",
      ],
    ],
    logFile: join(bench.folder, "redis.log"),
  });

  let databases = 0;
  return {
    async newDatabase(dist) {
      const mongoUri = `mongodb://127.0.0.1:${mongo.port}/parley-${++databases}`;
      await promisify(execFile)(NODE, [resolve(dist, "migrate.js"), "up"], {
        cwd: bench.folder,
        env: { PATH: process.env.PATH, MONGO_URI: mongoUri },
      });
      // Redis has sixteen databases; its keys are digests that never clash in practice.
      return {
        mongoUri,
        env: { MONGO_URI: mongoUri, REDIS_URL: `redis://127.0.0.1:${redis.port}/${databases % 16}` },
      };
    },
  };
}

function onPath(program: string): string | undefined {
  const candidates = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
