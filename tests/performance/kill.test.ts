import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { replyTo, startEchoModel } from "../support/echo-model.ts";
import { seededRandom } from "../support/random.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

/** `make kill-test KILLS=200 SEED=7` */
const KILLS = Number(process.env.KILLS ?? 50);
const SEED = Number(process.env.SEED ?? 1);

/** Callers that repeat a message with its key until it is answered, and callers that try once. */
const CALLERS = { keyed: 6, once: 2 };

interface Sent {
  readonly message: string;
  /** What the caller was answered; undefined when it never was. */
  readonly reply: string | undefined;
}

interface Reply {
  conversation_id: string;
  reply: string;
}

interface Page {
  conversation: { messages: { id: string; role: string; content: string }[] };
  next_page_token: string;
}

test(
  `${KILLS} kills in the middle of turns (seed ${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    const dataDir = await mkdtemp(join(tmpdir(), "parley-kill-"));
    const model = await startEchoModel(() => random() * 40);
    const start = () =>
      startServer({ dataDir, env: { OPENAI_BASE_URL: model.baseUrl, TURN_LEASE_SECONDS: "1" } });

    let server = await start();
    let restarted: Promise<unknown> = Promise.resolve();
    let done = false;
    let atWork = 0;
    let killedAtWork = 0;

    /** One try of one call: undefined when it got no answer, or one that says to try again. */
    async function attempt(method: string, request: object): Promise<Reply | undefined> {
      atWork++;
      try {
        const { status, body } = await callJson<Reply>(server.url, method, request);
        if (status === 200) return body;
        if (status === 503 || status === 409) return undefined;
        throw new Error(`${method} answered ${status} ${JSON.stringify(body)}`);
      } catch (error) {
        // What fetch throws when the connection breaks; of another realm than the test's own.
        if ((error as Error).name === "TypeError") return undefined;
        throw error;
      } finally {
        atWork--;
      }
    }

    async function untilAnswered(method: string, request: object): Promise<Reply> {
      for (;;) {
        const reply = await attempt(method, request);
        if (reply) return reply;
        await restarted;
        await delay(20);
      }
    }

    /** A caller's talk: its messages, in the order they were sent. */
    async function talk(name: string, keyed: boolean): Promise<{ id: string; sent: Sent[] }> {
      const first = `${name}-0`;
      const opened = await untilAnswered("StartConversation", { message: first, idempotency_key: first });
      const id = opened.conversation_id;
      const sent: Sent[] = [{ message: first, reply: opened.reply }];
      for (let count = 1; !done; count++) {
        const message = `${name}-${count}`;
        const request = { conversation_id: id, message };
        const answer = keyed
          ? await untilAnswered("ContinueConversation", { ...request, idempotency_key: message })
          : await attempt("ContinueConversation", request);
        sent.push({ message, reply: answer?.reply });
        if (!answer) await restarted;
      }
      // Whatever was left half-done must not keep the conversation from going on.
      const last = `${name}-last`;
      const answer = await untilAnswered("ContinueConversation", {
        conversation_id: id,
        message: last,
        idempotency_key: last,
      });
      sent.push({ message: last, reply: answer.reply });
      return { id, sent };
    }

    async function restart() {
      const killed: RunningServer = server;
      await killed.kill("SIGKILL");
      server = await start();
    }

    try {
      const talks = [
        ...Array.from({ length: CALLERS.keyed }, (_, index) => talk(`keyed${index}`, true)),
        ...Array.from({ length: CALLERS.once }, (_, index) => talk(`once${index}`, false)),
      ];

      for (let kill = 0; kill < KILLS; kill++) {
        // Sometimes before the turns of the last kill are taken over, sometimes long after.
        await delay(50 + random() * 1_000);
        if (atWork > 0) killedAtWork++;
        restarted = restart();
        await restarted;
      }
      done = true;
      const talked = await Promise.all(talks);

      let messages = 0;
      for (const { id, sent } of talked) {
        const stored = await transcript(server.url, id);
        messages += stored.length;
        expect(new Set(stored.map((message) => message.id)).size).toBe(stored.length);
        for (const { message, reply } of sent) {
          const asked = stored.filter(({ role, content }) => role === "USER" && content === message);
          const replies = stored.filter(
            ({ role, content }) => role === "ASSISTANT" && content === replyTo(message),
          );
          if (reply === undefined) {
            expect(asked.length).toBeLessThanOrEqual(1);
            expect(replies.length).toBeLessThanOrEqual(asked.length);
          } else {
            expect([message, asked.length, replies.length]).toEqual([message, 1, 1]);
            expect(reply).toBe(replyTo(message));
          }
        }
        const answered = sent.filter(({ reply }) => reply !== undefined).map(({ message }) => message);
        const order = stored.filter(({ role }) => role === "USER").map(({ content }) => content);
        expect(order.filter((content) => answered.includes(content))).toEqual(answered);
      }
      const { body } = await callJson<{ conversations: unknown[] }>(server.url, "ListConversations", {});
      expect(body.conversations).toHaveLength(talked.length);
      expect(killedAtWork).toBeGreaterThan(KILLS / 2);

      console.info(
        `${KILLS} kills, ${killedAtWork} with turns at work: ${messages} messages, none lost, none doubled`,
      );
    } finally {
      done = true;
      await server.kill("SIGTERM");
      await model.close();
      await rm(dataDir, { recursive: true });
    }
  },
  KILLS * 10_000 + 60_000,
);

async function transcript(url: string, conversation_id: string) {
  const messages: Page["conversation"]["messages"] = [];
  let page_token = "";
  do {
    const { body } = await callJson<Page>(url, "DescribeConversation", { conversation_id, page_token });
    messages.push(...body.conversation.messages);
    page_token = body.next_page_token;
  } while (page_token !== "");
  return messages;
}
