import { execFile } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { eventually } from "../../support/eventually.ts";
import { describeMongo } from "../../support/mongo.ts";
import { chunk, type RawReply, writeRaw } from "../../support/raw-sse.ts";
import { describeRedis, type RedisProcess, startRedis } from "../../support/redis.ts";
import { built, NODE, startServer } from "../../support/server.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { expectNo, SECRETS, WORDS } from "./canaries.ts";
import { obedientModel, type UpstreamServer, upstream } from "./world.ts";

const run = promisify(execFile);

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Answers with all that it was asked with: the worst that a service can do to those who log its errors. */
function echo(make: (said: string) => RawReply): Handler {
  return async (request, response) => {
    const said = `${WORDS} ${request.url} ${JSON.stringify(request.headers)} ${await text(request)}`;
    writeRaw(response, make(said));
  };
}

const refusal = (status: number, headers: Record<string, string> = {}) =>
  echo((said) => ({
    status,
    headers: { "content-type": "application/json", ...headers },
    raw: [JSON.stringify({ error: { message: said, code: said, type: WORDS, param: said } })],
    ending: "end",
  }));

const noHttp: Handler = async (request) => {
  request.socket.end(`${request.url} ${JSON.stringify(request.headers)} ${await text(request)}`);
};

const MODEL_FAULTS: readonly Handler[] = [
  ...[400, 401, 403, 404, 408, 409, 429, 500, 503].map((status) => refusal(status)),
  refusal(500, { "x-request-id": SECRETS.modelKey }),
  refusal(302, { location: `https://127.0.0.1:9/?key=${SECRETS.modelKey}` }),
  echo((said) => ({ raw: [{ error: { message: said, type: WORDS } }] })),
  echo((said) => ({ raw: [`data: ${said}\n\n`] })),
  echo((said) => ({ headers: { "content-type": "text/html" }, raw: [said], ending: "end" })),
  echo((said) => ({ raw: [chunk({ content: said })], ending: "disconnect" })),
  noHttp,
];

const TOOL_FAULTS: readonly Handler[] = [
  ...[401, 404, 429, 500].map((status) => refusal(status)),
  refusal(302, { location: `http://10.0.0.1/?token=${SECRETS.feedToken}` }),
  echo((said) => ({ raw: [said], ending: "end" })),
  noHttp,
];

/** A server with secrets in all of its settings, and what it uses. */
async function startWithSecrets(level: string, mongoUri: string, redis: RedisProcess) {
  const { hostname, port } = new URL(mongoUri);
  const proxy = await TcpProxy.start(Number(port), hostname);
  const name = `canaries-${level}`;
  const MONGO_URI = `mongodb://${name}:${SECRETS.mongoPassword}@127.0.0.1:${proxy.port}/${name}?authSource=admin&directConnection=true`;
  const admin = await MongoClient.connect(mongoUri);
  const roles = ["readWriteAnyDatabase", "clusterAdmin"].map((role) => ({ role, db: "admin" }));
  await admin.db("admin").command({ createUser: name, pwd: SECRETS.mongoPassword, roles });
  await run(NODE, [built("migrate.js"), "up"], { env: { MONGO_URI } });

  const model = await upstream(obedientModel);
  const weather = await upstream(refusal(500));
  const calendar = await upstream(refusal(500));
  const feed = `ann:${SECRETS.feedPassword}@127.0.0.1:${calendar.port}/feed.ics?t=${SECRETS.feedToken}`;
  const server = await startServer({
    env: {
      LOG_LEVEL: level,
      API_KEYS: `ann:${SECRETS.apiKey}`,
      MONGO_URI,
      REDIS_URL: `redis://:${SECRETS.redisPassword}@127.0.0.1:${redis.port}`,
      REDIS_TIMEOUT_MS: "10000",
      OPENAI_API_KEY: SECRETS.modelKey,
      OPENAI_BASE_URL: `http://127.0.0.1:${model.port}/v1`,
      WEATHER_API_KEY: SECRETS.weatherKey,
      WEATHER_API_BASE_URL: `http://127.0.0.1:${weather.port}`,
      HOLIDAY_CALENDAR_URL: `http://${feed}`,
      HOLIDAY_COUNTRY: "ES",
      TELEGRAM_BOT_TOKEN: SECRETS.botToken,
      // Each fault opens the breaker, and the next one meets a probe.
      CIRCUIT_BREAKER_MAX_FAILURES: "1",
      CIRCUIT_BREAKER_COOLDOWN_SECONDS: "1",
      RETRY_MAX_ATTEMPTS: "1",
      MAX_MESSAGE_CHARS: "200",
    },
  });
  return {
    server,
    model,
    weather,
    calendar,
    proxy,
    database: admin.db(name),
    forgetUser: () => admin.db("admin").command({ dropUser: name }),
    async stop() {
      await server.stop();
      await admin.close();
      await proxy.close();
      for (const service of [model, weather, calendar]) await service.close();
    },
  };
}

await describeMongo("a server with secrets", (mongo) => {
  describeRedis("in all of its settings", (start) => {
    test.each(["debug", "info"])(
      "shows none of them, whatever fails: LOG_LEVEL=%s",
      async (level) => {
        const { process: redis } = await start(startRedis(["--requirepass", "another"]));
        const { server, model, weather, calendar, proxy, database, ...world } = await startWithSecrets(
          level,
          mongo.uri,
          redis,
        );
        const answers: string[] = [];
        const get = async (path: string, init?: RequestInit) => {
          const response = await fetch(server.url + path, init);
          answers.push(`${JSON.stringify([...response.headers])} ${await response.text()}`);
          return response.status;
        };
        const withKey = { "content-type": "application/json", authorization: `Bearer ${SECRETS.apiKey}` };
        const call = (method: string, body: string, headers: Record<string, string> = withKey) =>
          get(`/twirp/acai.chat.ChatService/${method}?key=${SECRETS.apiKey}`, {
            method: "POST",
            body,
            headers,
          });
        const ask = (message: string) => call("StartConversation", JSON.stringify({ message }));
        /** Asks until the question gets through to the service, past an open breaker. */
        const meet = async (service: UpstreamServer, fault: Handler, question: string) => {
          service.fault = fault;
          await eventually(async () => {
            await ask(question);
            return service.met > 0;
          });
          service.fault = undefined;
        };

        // A password that is refused.
        await eventually(() => server.log.some((line) => line.includes("WRONGPASS")));
        await redis.cli("-a", "another", "config", "set", "requirepass", SECRETS.redisPassword);
        await eventually(() => server.log.some((line) => line.includes("Redis is in use")));

        // Requests that are refused.
        expect(await ask(WORDS)).toBe(200);
        expect(await call("StartConversation", JSON.stringify({ message: WORDS }), {})).toBe(401);
        for (const header of ["authorization", "x-api-key"]) {
          for (const shown of [
            SECRETS.wrongApiKey,
            `Bearer ${SECRETS.wrongApiKey}`,
            `Basic ${btoa(`ann:${SECRETS.wrongApiKey}`)}`,
          ])
            expect(
              await call("StartConversation", "{}", { ...withKey, authorization: "", [header]: shown }),
            ).toBe(401);
        }
        for (const body of [`{"message": "${WORDS}"`, WORDS, `{"message": {"${WORDS}": 1}}`])
          expect(await call("StartConversation", body)).toBe(400);
        expect(
          await call("ContinueConversation", JSON.stringify({ message: WORDS, conversation_id: WORDS })),
        ).not.toBe(200);
        expect(await ask(WORDS.repeat(20))).toBe(400);

        // Services that fail.
        for (const fault of MODEL_FAULTS) await meet(model, fault, WORDS);
        for (const [index, fault] of TOOL_FAULTS.entries()) {
          await meet(weather, fault, `get_weather {"location":"${WORDS} ${index}"}`);
          await meet(calendar, fault, `get_holidays {"after_date":"2026-01-01","max_count":${index + 1}}`);
        }

        // Stores that fail.
        await redis.kill();
        await get("/ready");
        await database.command({ collMod: "turns", validator: { never: { $exists: true } } });
        expect(await ask(WORDS)).toBe(500);
        for (const fault of ["refused", "garbled", "truncated"] as const) {
          proxy.fault = fault;
          expect(await ask(WORDS)).toBe(503);
          await get("/ready");
          proxy.fault = undefined;
        }
        await world.forgetUser();
        proxy.fault = "refused";
        proxy.fault = undefined;
        await eventually(async () => (await ask(WORDS)) === 503);
        await get("/ready");
        expect(await get("/metrics", { headers: withKey })).toBe(200);
        await world.stop();

        const log = server.log.join("\n");
        for (const line of ["its breaker is open", "A turn failed", "A request failed unexpectedly"])
          expect(log.includes(line)).toBe(true);
        expectNo(Object.values(SECRETS), log);
        expectNo(Object.values(SECRETS), answers.join("\n"));
        expect(log.includes(WORDS)).toBe(level === "debug");
      },
      120_000,
    );
  });
});
