import { execFile } from "node:child_process";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterAll, beforeAll, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { describeMongo } from "../../support/mongo.ts";
import { describeRedis, startRedis } from "../../support/redis.ts";
import { built, NODE, type RunningServer, startServer } from "../../support/server.ts";
import { describeSmallDisk } from "../../support/small-disk.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { OUTCOMES } from "./outcomes.ts";
import { expectNoSurprise, obedientModel, tcpFault, tryFault, upstream } from "./world.ts";

const run = promisify(execFile);

let model: Awaited<ReturnType<typeof upstream>>;
let server: RunningServer;

/** Starts the server on these stores for the tests of this block. */
function serve(prepare: () => Promise<{ env?: Record<string, string>; dataDir?: string }>): void {
  beforeAll(async () => {
    model = await upstream(obedientModel);
    const { env, dataDir } = await prepare();
    server = await startServer({
      env: { OPENAI_BASE_URL: `http://127.0.0.1:${model.port}/v1`, ...env },
      dataDir,
    });
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await model.close();
    expectNoSurprise(server);
  });
}

const question = "question";
const wellAnswered = /question$/;

function proxied(fault: string, proxy: TcpProxy) {
  return {
    harm() {
      proxy.fault = tcpFault(fault);
    },
    mend() {
      proxy.fault = undefined;
    },
    struck: () => proxy.met,
  };
}

await describeMongo("MongoDB", (mongo) => {
  let proxy: TcpProxy;
  serve(async () => {
    const { hostname, port } = new URL(mongo.uri);
    proxy = await TcpProxy.start(Number(port), hostname);
    const MONGO_URI = `mongodb://127.0.0.1:${proxy.port}/faults?directConnection=true`;
    await run(NODE, [built("migrate.js"), "up"], { env: { MONGO_URI } });
    return { env: { MONGO_URI } };
  });
  afterAll(() => proxy.close());

  test.each(OUTCOMES.mongo)(
    "$fault",
    async (outcome) => {
      await tryFault({ server, outcome, question, wellAnswered, ...proxied(outcome.fault, proxy) });
    },
    30_000,
  );
});

describeRedis("Redis", (start) => {
  let proxy: TcpProxy;
  serve(async () => {
    const { process: redis } = await start(startRedis());
    proxy = await TcpProxy.start(redis.port);
    return { env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` } };
  });
  afterAll(() => proxy.close());

  test.each(OUTCOMES.redis)(
    "$fault",
    async (outcome) => {
      const session_metadata = { platform: "p", user_id: outcome.fault, chat_id: "1" };
      await eventually(async () => {
        const report = await fetch(`${server.url}/ready`);
        return ((await report.json()) as { status: string }).status === "ready";
      });
      const strike = proxied(outcome.fault, proxy);
      await tryFault({ server, outcome, question, session_metadata, wellAnswered, ...strike });
    },
    30_000,
  );
});

describeSmallDisk("the embedded database", (disk) => {
  serve(async () => ({ dataDir: disk.folder }));
  afterAll(() => disk.unmount());

  const move = (from: string, to: string) => renameSync(join(disk.folder, from), join(disk.folder, to));
  const faults: Record<string, { question: string; harm(): void | Promise<void>; mend(): void }> = {
    "locked by another program": lockedFrom(disk.folder),
    "a full disk": {
      question: "x".repeat(30_000),
      harm: () => disk.fill(0),
      mend: () => disk.makeRoom(),
    },
    "its file moved away": {
      question,
      async harm() {
        move("parley.db", "elsewhere.db");
        await eventually(async () => !(await fetch(`${server.url}/ready`)).ok);
      },
      mend: () => move("elsewhere.db", "parley.db"),
    },
  };

  test.each(OUTCOMES.sqlite)(
    "$fault",
    async (outcome) => {
      const fault = faults[outcome.fault];
      if (!fault) throw new Error(`There is no fault '${outcome.fault}'`);
      await tryFault({ server, outcome, wellAnswered: /question$|x$/, struck: () => 1, ...fault });
    },
    30_000,
  );
});

function lockedFrom(folder: string) {
  let other: DatabaseSync | undefined;
  return {
    question,
    harm() {
      other = new DatabaseSync(join(folder, "parley.db"));
      other.exec("BEGIN IMMEDIATE");
    },
    mend: () => other?.close(),
  };
}
