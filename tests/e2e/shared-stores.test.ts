import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { replyTo, startEchoModel } from "../support/echo-model.ts";
import { eventually } from "../support/eventually.ts";
import { describeMongo } from "../support/mongo.ts";
import { describeRedis, type RedisProcess, startRedis } from "../support/redis.ts";
import { built, NODE, type RunningServer, startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

interface Reply {
  conversation_id: string;
  title: string;
  reply: string;
}

const run = promisify(execFile);
const FIFTY = Array.from({ length: 50 }, (_, index) => index);

/** What two processes on the same stores must do; `prepare` says where those are, and if they are workers of one server. */
function twoProcesses(prepare: () => Promise<Record<string, string>>): void {
  let model: Awaited<ReturnType<typeof startEchoModel>>;
  let servers: RunningServer[];
  const urlFor = (index: number) => servers[index % servers.length]?.url ?? "";

  beforeAll(async () => {
    model = await startEchoModel(() => 0);
    const env: Record<string, string> = { OPENAI_BASE_URL: model.baseUrl, ...(await prepare()) };
    servers = [await startServer({ env })];
    if (!("WORKERS" in env)) servers.push(await startServer({ env }));
  }, 60_000);
  afterAll(async () => {
    for (const server of servers) await server.stop();
    await model.close();
  });

  async function countOf(conversation_id: string) {
    const { body } = await callJson<{ conversation: { message_count: number } }>(
      urlFor(0),
      "DescribeConversation",
      { conversation_id },
    );
    return body.conversation.message_count;
  }

  test("fifty first messages of a new session make one conversation of fifty turns", async () => {
    const session_metadata = { platform: "p", user_id: "fifty", chat_id: "1" };
    const answers = await Promise.all(
      FIFTY.map((index) =>
        callJson<Reply>(urlFor(index), "ContinueConversation", { message: `M${index}`, session_metadata }),
      ),
    );
    expect(answers.map(({ body }) => body.reply)).toEqual(FIFTY.map((index) => replyTo(`M${index}`)));
    const ids = [...new Set(answers.map(({ body }) => body.conversation_id))];
    expect(ids).toHaveLength(1);
    expect(await countOf(ids[0] ?? "")).toBe(100);
  }, 60_000);

  test("one key fifty times makes one turn and fifty equal answers, another message none", async () => {
    const session_metadata = { platform: "p", user_id: "key", chat_id: "1" };
    for (const [method, key] of [
      ["StartConversation", "start-key"],
      ["ContinueConversation", "continue-key"],
    ] as const) {
      const request = { message: "Hi", session_metadata, idempotency_key: key };
      const answers = await Promise.all(
        FIFTY.map((index) => callJson<Reply>(urlFor(index), method, request)),
      );
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]).toMatchObject({ status: 200, body: { reply: replyTo("Hi") } });
      // The second method goes on in the first one's session.
      expect(await countOf(answers[0]?.body.conversation_id ?? "")).toBe(
        method === "StartConversation" ? 2 : 4,
      );
      const other = await callJson<Reply>(urlFor(1), method, { ...request, message: "Ho" });
      expect(other).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
    }
  }, 60_000);

  test("turns of many conversations interleave, each in its order", async () => {
    const talk = async (name: string) => {
      const session_metadata = { platform: "p", user_id: name, chat_id: "1" };
      const ids = new Set<string>();
      for (let count = 0; count < 6; count++) {
        const message = `${name}-${count}`;
        const { body } = await callJson<Reply>(urlFor(count), "ContinueConversation", {
          message,
          session_metadata,
        });
        expect(body.reply).toBe(replyTo(message));
        ids.add(body.conversation_id);
      }
      expect(ids.size).toBe(1);
      expect(await countOf([...ids][0] ?? "")).toBe(12);
    };
    await Promise.all(["a", "b", "c", "d", "e"].map(talk));
  }, 60_000);
}

describe("two servers on one SQLite file", () => {
  let dataDir: string;
  twoProcesses(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-two-"));
    return { DATA_DIR: dataDir };
  });
  afterAll(() => rm(dataDir, { recursive: true }));
});

describe("two workers on one SQLite file", () => {
  twoProcesses(async () => ({ WORKERS: "2" }));
});

await describeMongo("MongoDB", (mongo) => {
  test("a MongoDB that hangs is unavailable in time, and used again without a restart", async () => {
    const { process: mongod } = mongo;
    if (!mongod) throw new Error("MONGO_URI_TEST: a server that is not the tests' own can't be stopped");
    const model = await startEchoModel(() => 0);
    const MONGO_URI = mongo.uri.replace(/\/?$/, "/hangs");
    await run(NODE, [built("migrate.js"), "up"], { env: { MONGO_URI } });
    const server = await startServer({ env: { MONGO_URI, OPENAI_BASE_URL: model.baseUrl } });
    const ask = (message: string) => callJson<Reply>(server.url, "StartConversation", { message });
    try {
      expect((await ask("before")).status).toBe(200);
      mongod.pause();
      const waits = await Promise.all(
        FIFTY.map(async (index) => {
          const startedAt = performance.now();
          expect(await ask(`M${index}`)).toMatchObject({ status: 503, body: { code: "unavailable" } });
          return performance.now() - startedAt;
        }),
      );
      process.stderr.write(
        `MongoDB, SIGSTOP: 50 answers, unavailable after ${Math.max(...waits).toFixed()} ms at most\n`,
      );
      mongod.resume();
      await eventually(async () => (await ask("after")).status === 200);
    } finally {
      mongod.resume();
      await server.stop();
      await model.close();
    }
  }, 60_000);

  describeRedis("and Redis", (start) => {
    const migrated = async (database: string) => {
      const MONGO_URI = mongo.uri.replace(/\/?$/, `/${database}`);
      await run(NODE, [built("migrate.js"), "up"], { env: { MONGO_URI } });
      return MONGO_URI;
    };

    describe.each([
      ["two servers", {}],
      ["two workers", { WORKERS: "2" }],
    ])("%s on both", (name, env) => {
      twoProcesses(async () => {
        const { process } = await start(startRedis());
        const MONGO_URI = await migrated(name.replace(" ", "-"));
        return { MONGO_URI, REDIS_URL: `redis://127.0.0.1:${process.port}`, ...env };
      });
    });

    test("no turn fails while Redis is stopped, killed, flushed and back", async () => {
      const model = await startEchoModel(() => 0);
      const { process: redis } = await start(startRedis());
      const server = await startServer({
        env: {
          MONGO_URI: await migrated("faults"),
          REDIS_URL: `redis://127.0.0.1:${redis.port}`,
          OPENAI_BASE_URL: model.baseUrl,
        },
      });
      const ready = async () => {
        const response = await fetch(`${server.url}/ready`);
        return [response.status, ((await response.json()) as { status: string }).status];
      };
      let done = false;
      let turns = 0;
      let durations: number[] = [];
      const caller = async (user: number) => {
        const session_metadata = { platform: "p", user_id: `u${user}`, chat_id: "1" };
        const ids = new Set<string>();
        while (!done) {
          const message = `${user}-${turns++}`;
          const startedAt = performance.now();
          const answer = await callJson<Reply>(server.url, "ContinueConversation", {
            message,
            session_metadata,
          });
          durations.push(performance.now() - startedAt);
          expect(answer).toMatchObject({ status: 200, body: { reply: replyTo(message) } });
          ids.add(answer.body.conversation_id);
        }
        expect(ids.size).toBe(1);
      };
      const status = (wanted: string) => eventually(async () => (await ready())[1] === wanted);
      await status("ready");
      const callers = Promise.all([0, 1, 2, 3].map(caller));
      /** Each resolves once Redis is there again, to what its return takes in milliseconds. */
      const untilReady = async () => {
        const backAt = performance.now();
        await status("ready");
        return performance.now() - backAt;
      };
      const disasters: Record<string, (redis: RedisProcess) => Promise<number>> = {
        async nothing() {
          return 0;
        },
        async SIGSTOP({ pause, resume }) {
          pause();
          await status("degraded");
          expect(await ready()).toEqual([200, "degraded"]);
          resume();
          return untilReady();
        },
        async SIGKILL({ kill, restart }) {
          await kill();
          await status("degraded");
          await restart();
          return untilReady();
        },
        async FLUSHALL({ cli }) {
          await cli("FLUSHALL");
          return untilReady();
        },
        async "dropped connections"({ cli }) {
          await cli("CLIENT", "KILL", "TYPE", "normal");
          return untilReady();
        },
      };
      try {
        for (const [name, strike] of Object.entries(disasters)) {
          durations = [];
          const before = turns;
          const back = await Promise.race([strike(redis), callers.then(() => Number.NaN)]);
          await Promise.race([eventually(() => turns > before + 100), callers]);
          const p99 = durations.toSorted((a, b) => a - b)[Math.floor(durations.length * 0.99)];
          process.stderr.write(
            `Redis, ${name}: ${durations.length} turns, none failed, p99 ${p99?.toFixed()} ms; ready again after ${back.toFixed()} ms\n`,
          );
        }
      } finally {
        done = true;
      }
      await callers;
      await server.stop();
      await model.close();
    }, 120_000);
  });
});
