import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { startEchoModel } from "../support/echo-model.ts";
import { seededRandom } from "../support/random.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { talkThrough } from "../support/talks.ts";

/** `make kill-test KILLS=200 SEED=7` */
const KILLS = Number(process.env.KILLS ?? 50);
const SEED = Number(process.env.SEED ?? 1);

test.each([
  { processes: 1, kills: KILLS },
  { processes: 2, kills: Math.ceil(KILLS / 4) },
])(
  `$kills kills in the middle of turns, of $processes server(s) on one SQLite file (seed ${SEED})`,
  async ({ processes, kills }) => {
    const random = seededRandom(SEED);
    const dataDir = await mkdtemp(join(tmpdir(), "parley-kill-"));
    const model = await startEchoModel(() => random() * 40);
    const start = () =>
      startServer({ dataDir, env: { OPENAI_BASE_URL: model.baseUrl, TURN_LEASE_SECONDS: "1" } });
    const servers: RunningServer[] = [];
    const any = () => Math.floor(random() * processes);
    try {
      for (let count = 0; count < processes; count++) servers.push(await start());
      const toll = await talkThrough({
        url: () => servers[any()]?.url ?? "",
        random,
        strikes: kills,
        async strike() {
          const victim = any();
          await servers[victim]?.kill("SIGKILL");
          servers[victim] = await start();
        },
      });
      expect(toll.atWork).toBeGreaterThan(kills / 2);
      console.info(`${kills} kills, ${toll.atWork} of them with turns at work: ${toll.messages} messages`);
    } finally {
      for (const server of servers) await server.kill("SIGTERM");
      await model.close();
      await rm(dataDir, { recursive: true });
    }
  },
  KILLS * 10_000 + 60_000,
);
