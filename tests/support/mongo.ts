import { once } from "node:events";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, describe } from "@jest/globals";
import { MongoClient, type MongoServerError } from "mongodb";
import { MongoMemoryReplSet, MongoMemoryServer } from "mongodb-memory-server";
import { mongoMigrations } from "../../migrations/mongo/index.ts";
import { MigrationRunner } from "../../src/migrations/runner.ts";
import { MongoDatabase, type MongoOptions } from "../../src/stores/mongo/client.ts";
import { MongoMigrationTarget } from "../../src/stores/mongo/migrate.ts";
import { inCI, skip, skipOutsideCI } from "./skip.ts";

/** A server for the tests of one file. */
export interface MongoServer {
  /** Without a database. */
  readonly uri: string;
  /** Absent when the server is not the tests' own (`MONGO_URI_TEST`). */
  readonly process?: MongoProcess;
}

/** What can happen to a server's process. */
export interface MongoProcess {
  /** SIGKILL, to all processes that it is made of. */
  kill(): Promise<void>;
  /** Starts it on the same data and port. */
  restart(): Promise<void>;
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(): void;
  resume(): void;
}

/** A fresh, migrated database. */
export interface TestDatabase {
  readonly uri: string;
  /** Another client of it. */
  connect(options?: Partial<MongoOptions>): MongoDatabase;
  /** Closes the clients and drops it. */
  close(): Promise<void>;
}

/**
 * Describes tests that need a MongoDB server, and starts one for them: that of `MONGO_URI_TEST`, else
 * the binary `MONGOMS_SYSTEM_BINARY`, else a `mongod` on the PATH, else, but not in CI, one that
 * mongodb-memory-server downloads. Where there is none the tests are skipped, which in CI is a failure.
 */
export async function describeMongo(name: string, tests: (server: MongoServer) => void): Promise<void> {
  const found = await findServer();
  if (typeof found === "string") return skipOutsideCI(name, found);
  describe(name, () => tests(found.server));
  afterAll(() => found.stop());
}

/**
 * Describes what only a replica set can show, and starts one of three members where the server of
 * {@link describeMongo} is one that can be in a set. Where it can't be, the tests are skipped, in CI too.
 */
export async function describeReplicaSet(name: string, tests: (set: MongoServer) => void): Promise<void> {
  const found = await findServer();
  if (typeof found === "string") return skipOutsideCI(name, found);
  const replication = await replicationOf(found.server);
  if (replication === "none") {
    await found.stop();
    return skip(name, "the MongoDB server can't be a member of a replica set");
  }
  if (replication === "member") {
    describe(name, () => tests(found.server));
    afterAll(() => found.stop());
    return;
  }
  await found.stop();
  // Test commands: those that make a server fail on purpose.
  const member = { args: ["--setParameter", "enableTestCommands=1"] };
  const set = await MongoMemoryReplSet.create({
    replSet: { count: 3, storageEngine: "wiredTiger" },
    instanceOpts: [member, member, member],
    binary: { systemBinary: process.env.MONGOMS_SYSTEM_BINARY ?? mongodOnPath() },
  });
  describe(name, () => tests({ uri: set.getUri() }));
  afterAll(() => set.stop());
}

/** Whether the server is in a replica set, could be in one, or knows of none. */
async function replicationOf({ uri }: MongoServer): Promise<"member" | "possible" | "none"> {
  const client = await MongoClient.connect(uri);
  try {
    await client.db("admin").command({ replSetGetStatus: 1 });
    return "member";
  } catch (error) {
    return (error as MongoServerError).codeName === "NoReplicationEnabled" ? "possible" : "none";
  } finally {
    await client.close();
  }
}

export async function openTestDatabase({ uri }: MongoServer): Promise<TestDatabase> {
  const ownUri = databaseUri(uri, `parley-${crypto.randomUUID()}`);
  const opened: MongoDatabase[] = [];
  const connect = (options: Partial<MongoOptions> = {}) => {
    const database = new MongoDatabase({ uri: ownUri, ...options });
    opened.push(database);
    return database;
  };
  const first = connect();
  await new MigrationRunner(new MongoMigrationTarget(first), mongoMigrations).up();
  return {
    uri: ownUri,
    connect,
    async close() {
      await first.run(() => first.db.dropDatabase());
      for (const database of opened) await database.close();
    },
  };
}

/** The URI with this database in its path; it may name several hosts, which `URL` does not take. */
function databaseUri(uri: string, name: string): string {
  return uri.replace(/^([^:]+:\/\/[^/?]+)(\/[^?]*)?/, `$1/${name}`);
}

interface FoundServer {
  readonly server: MongoServer;
  stop(): Promise<unknown>;
}

/** Or why there is none. */
async function findServer(): Promise<FoundServer | string> {
  const uri = process.env.MONGO_URI_TEST;
  if (uri) return { server: { uri }, stop: async () => undefined };
  const systemBinary = process.env.MONGOMS_SYSTEM_BINARY ?? mongodOnPath();
  if (!systemBinary && inCI) {
    return "there is no MongoDB server: set MONGOMS_SYSTEM_BINARY, or install mongod";
  }
  return startServer(systemBinary).catch((error: unknown) => `no MongoDB server could be started: ${error}`);
}

async function startServer(systemBinary: string | undefined): Promise<FoundServer> {
  // Any version will do: what the tests need they find out.
  process.env.MONGOMS_SYSTEM_BINARY_VERSION_CHECK ??= "false";
  const dbPath = await mkdtemp(join(tmpdir(), "parley-mongo-"));
  const start = (port?: number) =>
    MongoMemoryServer.create({
      instance: {
        dbPath,
        port,
        launchTimeout: 60_000,
        portGeneration: port === undefined,
        storageEngine: "wiredTiger",
      },
      binary: { systemBinary },
    });
  let server = await start();
  const signal = (name: NodeJS.Signals) => server.instanceInfo?.instance.mongodProcess?.kill(name);
  const mongod: MongoProcess = {
    async kill() {
      const child = server.instanceInfo?.instance.mongodProcess;
      if (!child?.pid) return;
      const gone = once(child, "exit");
      for (const pid of processTree(child.pid)) killIfThere(pid);
      await gone;
    },
    async restart() {
      const port = server.instanceInfo?.port;
      // Another suite's server may just be passing over the port, in search of a free one.
      server = await start(port).catch(() => start(port));
    },
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
  };
  return {
    server: { uri: server.getUri(), process: mongod },
    async stop() {
      await server.stop();
      await rm(dbPath, { recursive: true, force: true });
    },
  };
}

/** A process, then all that it has started; where there is no /proc, it alone. */
function processTree(pid: number): number[] {
  const tasks = existsSync(`/proc/${pid}/task`) ? readdirSync(`/proc/${pid}/task`) : [];
  const children = tasks.flatMap((task) => {
    const path = `/proc/${pid}/task/${task}/children`;
    return existsSync(path) ? readFileSync(path, "utf8").split(" ").filter(Boolean).map(Number) : [];
  });
  return [pid, ...children.flatMap(processTree)];
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just gone by itself, with its parent.
  }
}

function mongodOnPath(): string | undefined {
  const candidates = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "mongod"));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
