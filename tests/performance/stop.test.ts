import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { gate } from "../support/answers.ts";
import { replyTo, startEchoModel } from "../support/echo-model.ts";
import { eventually } from "../support/eventually.ts";
import { seededRandom } from "../support/random.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

/** `make stop-test STOPS=100 SEED=7` */
const STOPS = Number(process.env.STOPS ?? 2);
const SEED = Number(process.env.SEED ?? 1);
const TURNS = 200;
/** What a turn's two model calls take at most, each; so that the shorter grace is too short for some. */
const MODEL_MS = 1_000;
const GRACES = [25, 1];

interface Reply {
  conversation_id: string;
  reply: string;
}
type Answer = Awaited<ReturnType<typeof callJson<Reply>>>;
interface Page {
  conversation: { messages: { content: string }[] };
}

test(
  `${STOPS} times SIGTERM under ${TURNS} running turns (seed ${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    const dataDir = await mkdtemp(join(tmpdir(), "parley-stop-"));
    let held = gate();
    let asked = 0;
    const model = await startEchoModel(async () => {
      asked++;
      const ms = random() * MODEL_MS;
      await held.opened;
      await delay(ms);
    });
    let running: RunningServer | undefined;
    const start = async (grace: number) => {
      const env = {
        OPENAI_BASE_URL: model.baseUrl,
        SHUTDOWN_GRACE_SECONDS: String(grace),
        // A machine with other work to do is not what is tested.
        MAX_EVENT_LOOP_DELAY_MS: "0",
        // Titles are asked for only where they are in no reply's way.
        MODEL_MAX_CONCURRENCY: String(4 * TURNS),
      };
      running = await startServer({ dataDir, env });
      return running;
    };
    const send = (server: RunningServer, message: string) =>
      callJson<Reply>(server.url, "StartConversation", { message, idempotency_key: message });

    const toll = { acknowledged: 0, handedOver: 0, slowestStopMs: 0 };
    try {
      for (let stop = 0; stop < STOPS; stop++) {
        const grace = GRACES[stop % GRACES.length] ?? 0;
        held = gate();
        asked = 0;
        const server = await start(grace);
        const messages = Array.from({ length: TURNS }, (_, index) => `${stop}-${index}`);
        const answers = Promise.all(messages.map((message) => send(server, message)));
        // Each turn asks the model for its reply and for a title: now all are at work.
        await eventually(() => asked === 2 * TURNS);
        const stopping = server.kill("SIGTERM");
        await eventually(() => server.log.some((line) => line.includes("SIGTERM: stopping")));
        const before = performance.now();
        held.open();
        const [answered, ended] = await Promise.all([answers, stopping]);
        const took = performance.now() - before;
        expect(ended).toEqual({ code: 0, signal: null });
        // What comes after the turns' own time: their leases, the answers, the stores.
        expect(took).toBeLessThan(grace * 1_000 + 4_000);
        toll.slowestStopMs = Math.max(toll.slowestStopMs, Math.round(took));

        const next = await start(25);
        const verify = async ({ status, body }: Answer, index: number) => {
          const message = messages[index] ?? "";
          if (status === 200) toll.acknowledged++;
          else toll.handedOver++;
          if (status !== 200) expect([status, grace, body]).toEqual([503, 1, body]);
          const { body: settled } = status === 200 ? { body } : await send(next, message);
          expect(settled.reply).toBe(replyTo(message));
          const { conversation_id } = settled;
          const { body: page } = await callJson<Page>(next.url, "DescribeConversation", { conversation_id });
          expect(page.conversation.messages.map(({ content }) => content)).toEqual([
            message,
            replyTo(message),
          ]);
        };
        await Promise.all(answered.map(verify));
        await next.kill("SIGTERM");
      }
      expect(toll.acknowledged + toll.handedOver).toBe(STOPS * TURNS);
      expect(toll.acknowledged).toBeGreaterThanOrEqual((STOPS / 2) * TURNS);
      console.info(`${STOPS} stops: ${JSON.stringify(toll)}, 0 acknowledged turns lost`);
    } finally {
      await running?.kill("SIGKILL");
      await model.close();
      await rm(dataDir, { recursive: true });
    }
  },
  STOPS * 20_000 + 30_000,
);
