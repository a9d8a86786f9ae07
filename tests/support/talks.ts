import { setTimeout as delay } from "node:timers/promises";
import { expect } from "@jest/globals";
import { replyTo } from "./echo-model.ts";
import { callJson } from "./twirp.ts";

/** Callers that repeat a message with its key until it is answered, and callers that try once. */
const CALLERS = { keyed: 6, once: 2 };

export interface Disaster {
  /** The URL of a server to call next; while it is away, that of one to come. */
  readonly url: () => string;
  readonly random: () => number;
  readonly strikes: number;
  /** Does harm, and resolves once it is over. */
  strike(): Promise<void>;
}

export interface Toll {
  /** Strikes that came while calls were at work. */
  readonly atWork: number;
  readonly messages: number;
}

interface Sent {
  readonly message: string;
  /** What the caller was answered; undefined when it never was. */
  readonly reply: string | undefined;
}

interface Sendable {
  readonly message: string;
  readonly conversation_id?: string;
  readonly idempotency_key?: string;
}

interface Reply {
  conversation_id: string;
  reply: string;
}

interface Page {
  conversation: { messages: { id: string; role: string; content: string }[] };
  next_page_token: string;
}

/**
 * Holds conversations with servers on the echo model while disaster strikes, then compares what the
 * callers were told with what is stored: no acknowledged message lost, none doubled, the order kept,
 * and every conversation takes a next turn.
 */
export async function talkThrough({ url, random, strikes, strike }: Disaster): Promise<Toll> {
  let over: Promise<unknown> = Promise.resolve();
  let done = false;
  let calls = 0;
  let atWork = 0;
  /** Messages that are being sent, perhaps again and again. */
  const sending = new Set<string>();

  /** One try of one call: undefined when it got no answer, or one that says to try again. */
  async function attempt(method: string, request: object): Promise<Reply | undefined> {
    calls++;
    try {
      const { status, body } = await callJson<Reply>(url(), method, request);
      if (status === 200) return body;
      if (status === 503 || status === 409) return undefined;
      throw new Error(`${method} answered ${status} ${JSON.stringify(body)}`);
    } catch (error) {
      // What fetch throws when the connection breaks; of another realm than the test's own.
      if ((error as Error).name === "TypeError") return undefined;
      throw error;
    } finally {
      calls--;
    }
  }

  async function untilAnswered(method: string, request: Sendable): Promise<Reply> {
    sending.add(request.message);
    for (;;) {
      const reply = await attempt(method, request);
      if (reply) {
        sending.delete(request.message);
        return reply;
      }
      await over;
      await delay(20);
    }
  }

  async function once(method: string, request: Sendable): Promise<Reply | undefined> {
    sending.add(request.message);
    return attempt(method, request).finally(() => sending.delete(request.message));
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
        : await once("ContinueConversation", request);
      sent.push({ message, reply: answer?.reply });
      if (!answer) await over;
    }
    // Whatever was left half-done must not keep the conversation from going on.
    const last = `${name}-last`;
    const request = { conversation_id: id, message: last, idempotency_key: last };
    const answer = await untilAnswered("ContinueConversation", request);
    sent.push({ message: last, reply: answer.reply });
    return { id, sent };
  }

  const talks = Promise.all([
    ...Array.from({ length: CALLERS.keyed }, (_, index) => talk(`keyed${index}`, true)),
    ...Array.from({ length: CALLERS.once }, (_, index) => talk(`once${index}`, false)),
  ]);
  const struck = (async () => {
    for (let count = 0; count < strikes; count++) {
      // Sometimes before the turns of the last strike are taken over, sometimes long after.
      await delay(50 + random() * 1_000);
      if (calls > 0) atWork++;
      const interrupted = [...sending];
      over = strike();
      await over;
      // A turn that is interrupted again and again is given up.
      while (!done && interrupted.some((message) => sending.has(message))) await delay(10);
    }
  })();
  try {
    // A talk that fails ends the test at once.
    await Promise.race([struck, talks]);
  } finally {
    done = true;
  }
  const talked = await talks;

  let messages = 0;
  for (const { id, sent } of talked) {
    const stored = await transcript(url(), id);
    messages += stored.length;
    compare(sent, stored);
  }
  const { body } = await callJson<{ conversations: unknown[] }>(url(), "ListConversations", {});
  expect(body.conversations).toHaveLength(talked.length);
  return { atWork, messages };
}

function compare(sent: readonly Sent[], stored: Page["conversation"]["messages"]): void {
  expect(new Set(stored.map((message) => message.id)).size).toBe(stored.length);
  const contents = (role: string) => stored.filter((message) => message.role === role).map((m) => m.content);
  const [asked, replied] = [contents("USER"), contents("ASSISTANT")];
  const count = (list: readonly string[], content: string) => list.filter((one) => one === content).length;
  for (const { message, reply } of sent) {
    const times = [count(asked, message), count(replied, replyTo(message))];
    if (reply === undefined) {
      // Never answered: it may have been taken, but not twice, and not answered without.
      expect([
        [0, 0],
        [1, 0],
        [1, 1],
      ]).toContainEqual(times);
    } else {
      expect([message, ...times, reply]).toEqual([message, 1, 1, replyTo(message)]);
    }
  }
  const acknowledged = sent.filter(({ reply }) => reply !== undefined).map(({ message }) => message);
  expect(asked.filter((content) => acknowledged.includes(content))).toEqual(acknowledged);
}

async function transcript(url: string, conversation_id: string) {
  const messages: Page["conversation"]["messages"] = [];
  let page_token = "";
  do {
    const { status, body } = await callJson<Page>(url, "DescribeConversation", {
      conversation_id,
      page_token,
    });
    // A store that is just back may still be busy with its recovery.
    if (status === 503) {
      await delay(250);
      continue;
    }
    if (status !== 200) throw new Error(`DescribeConversation answered ${status} ${JSON.stringify(body)}`);
    messages.push(...body.conversation.messages);
    page_token = body.next_page_token;
  } while (page_token !== "" || messages.length === 0);
  return messages;
}
