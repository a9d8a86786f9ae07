import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { startEchoModel } from "../support/echo-model.ts";
import { describeMongo } from "../support/mongo.ts";
import { seededRandom } from "../support/random.ts";
import { built, NODE, type RunningServer, startServer } from "../support/server.ts";
import { talkThrough } from "../support/talks.ts";

const run = promisify(execFile);

/** `make kill-test KILLS=200 SEED=7` */
const KILLS = Math.ceil(Number(process.env.KILLS ?? 50) / 4);
const SEED = Number(process.env.SEED ?? 1);
const PROCESSES = 2;

await describeMongo("MongoDB", (mongo) => {
  // Killing the database takes minutes of recovery: with `make kill-test` only.
  const victims = process.env.KILLS === undefined ? ["Parley"] : ["Parley", "MongoDB"];
  test.each(victims)(
    `${KILLS} kills of %s in the middle of turns (seed ${SEED})`,
    async (victim) => {
      const random = seededRandom(SEED);
      const model = await startEchoModel(() => random() * 40);
      const env = {
        MONGO_URI: mongo.uri.replace(/\/?$/, `/kill-${victim}`),
        OPENAI_BASE_URL: model.baseUrl,
        TURN_LEASE_SECONDS: "1",
      };
      const servers: RunningServer[] = [];
      const any = () => Math.floor(random() * PROCESSES);
      const strikes: Record<string, () => Promise<void>> = {
        async Parley() {
          const index = any();
          await servers[index]?.kill("SIGKILL");
          servers[index] = await startServer({ env });
        },
        async MongoDB() {
          await mongo.process?.kill();
          await mongo.process?.restart();
        },
      };
      try {
        await run(NODE, [built("migrate.js"), "up"], { env: { MONGO_URI: env.MONGO_URI } });
        for (let count = 0; count < PROCESSES; count++) servers.push(await startServer({ env }));
        const toll = await talkThrough({
          url: () => servers[any()]?.url ?? "",
          random,
          strikes: KILLS,
          strike: strikes[victim] ?? (() => Promise.reject(new Error(victim))),
        });
        expect(toll.atWork).toBeGreaterThan(KILLS / 2);
        console.info(
          `${KILLS} kills of ${victim}, ${toll.atWork} with turns at work: ${toll.messages} messages`,
        );
      } finally {
        for (const server of servers) await server.stop();
        await model.close();
      }
    },
    KILLS * 20_000 + 60_000,
  );
});
