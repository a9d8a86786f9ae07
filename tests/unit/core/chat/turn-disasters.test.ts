import { expect, test } from "@jest/globals";
import type { Conversation } from "../../../../src/core/chat/conversation.ts";
import type { ConversationStore } from "../../../../src/core/chat/conversation-store.ts";
import { History } from "../../../../src/core/chat/history.ts";
import type { Turn } from "../../../../src/core/chat/turn.ts";
import type { TurnResult } from "../../../../src/core/chat/turn-runner.ts";
import type { AppError } from "../../../../src/core/errors.ts";
import type { Id } from "../../../../src/core/ids.ts";
import { SqliteConversationStore } from "../../../../src/stores/sqlite/conversation-store.ts";
import type { SqliteDatabase } from "../../../../src/stores/sqlite/database.ts";
import { SqliteUsageStore } from "../../../../src/stores/sqlite/usage-store.ts";
import { HISTORY_TOKENS, type Said, session } from "../../../support/chat-world.ts";
import { Disaster } from "../../../support/disaster.ts";

const SEEDS = Number(process.env.SEEDS ?? 20);
const FIRST = Number(process.env.SEED ?? 1);
const MESSAGES = 5;
const OWNER = "ann";
/** All that a message can meet with that passes. */
const PASSING = ["unavailable", "aborted", "deadline_exceeded"];
/** What a message can end with for good: others were quicker, or it was interrupted too often. */
const FINAL = ["failed_precondition", "internal"];

/** A message, and what came of it. */
interface Sent {
  readonly message: string;
  readonly key?: string;
  /** One for each request that was answered. */
  readonly answers: TurnResult[];
  /** Why it will never be answered. */
  readonly refusal?: AppError;
}

test.each(Array.from({ length: SEEDS }, (_, index) => FIRST + index))(
  "disaster %i: each message has one turn, and what was answered is stored",
  async (seed) => {
    const disaster = await Disaster.begin(seed);
    try {
      const talks: Sent[][] = [];
      await disaster.strikeDuring(talkAll(disaster, talks));
      await disaster.calm();
      await checkAll(disaster, talks);
    } finally {
      await disaster.end();
    }
  },
  60_000,
);

/** Several callers in one conversation, and in two sessions, one of which is ended again and again. */
async function talkAll(disaster: Disaster, talks: Sent[][]): Promise<void> {
  const start = await say(disaster, "First", "start", { session: session({ userId: "6" }) }, true);
  talks.push([start]);
  const conversation = { conversationId: start.answers[0]?.conversationId };
  const [ann, bob] = [session(), session({ userId: "8" })];
  const callers: [name: string, said: Said, keyed: boolean][] = [
    ["a", conversation, true],
    ["b", conversation, true],
    ["c", conversation, false],
    ["d", { session: ann }, true],
    ["e", { session: ann }, false],
    ["f", { session: bob }, true],
    ["g", { session: bob }, false],
  ];
  const endSessions = async () => {
    for (let count = 0; count < MESSAGES; count++) {
      await disaster.pause(5_000);
      const request = { sessionMetadata: bob, idempotencyKey: "" };
      await disaster.server.chat.endSession(disaster.world.context(OWNER), request);
    }
  };
  const talk = async ([name, said, keyed]: (typeof callers)[number]) => {
    const sent: Sent[] = [];
    talks.push(sent);
    for (let count = 0; count < MESSAGES; count++) {
      const message = `${name}-${count}${disaster.chance(0.3) ? "!" : ""}`;
      sent.push(await say(disaster, message, "continue", said, keyed));
      await disaster.pause(1_000);
    }
  };
  await Promise.all([...callers.map(talk), endSessions()]);
}

/** Sends a message: with a key again and again until it is answered, sometimes twice at once; without once. */
async function say(
  disaster: Disaster,
  message: string,
  method: "start" | "continue",
  said: Said,
  keyed: boolean,
): Promise<Sent> {
  const key = keyed ? `key of ${message}` : undefined;
  for (;;) {
    const request = () => disaster.send((server) => server[method](message, { ...said, key }));
    const results = await Promise.allSettled(
      keyed && disaster.chance(0.3) ? [request(), request()] : [request()],
    );
    const answers = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
    const errors = results.flatMap((result) => (result.status === "rejected" ? result.reason : []));
    for (const { code } of errors) expect([...PASSING, ...FINAL]).toContain(code);
    const refusal = errors.find(({ code }) => FINAL.includes(code));
    if (!keyed || answers.length > 0 || refusal) return { message, key, answers, refusal };
    await disaster.pause(3_000);
  }
}

async function checkAll(disaster: Disaster, talks: readonly Sent[][]): Promise<void> {
  const database = disaster.world.database();
  const store = new SqliteConversationStore(database);
  const conversations = await store.listConversations(OWNER, 100);
  const turns: Turn[] = [];
  for (const conversation of conversations) turns.push(...(await checkedTurns(store, conversation)));
  for (const sent of talks) checkAnswers(sent, turns);
  await checkHistory(disaster, store, turns);
  await checkLedger(disaster, database);
  for (const [message, times] of disaster.booked) expect({ message, times }).toEqual({ message, times: 1 });
  for (const { id } of conversations) {
    const next = disaster.server.continue("And now?", { conversationId: id });
    expect(await disaster.world.until(next)).toMatchObject({ conversationId: id });
  }
}

/** The conversation's turns: numbered without gaps, all ended, and counted. */
async function checkedTurns(store: ConversationStore, conversation: Conversation): Promise<Turn[]> {
  const turns = await store.listTurns(conversation.id, 1, 1_000);
  let messageCount = 0;
  for (const [index, turn] of turns.entries()) {
    expect(turn).toMatchObject({ seq: index + 1, messageOffset: messageCount });
    expect(turn.state).not.toBe("running");
    messageCount += turn.state === "completed" ? 2 : 1;
  }
  expect(conversation).toMatchObject({ turnCount: turns.length, messageCount });
  return turns;
}

/** Of one caller: each message has one turn at most, with what was answered, in the order they were sent. */
function checkAnswers(sent: readonly Sent[], turns: readonly Turn[]): void {
  const last = new Map<Id, number>();
  for (const { message, key, answers, refusal } of sent) {
    const [turn, ...others] = turns.filter(({ user }) => user.content === message);
    expect({ message, others }).toEqual({ message, others: [] });
    if (key !== undefined) {
      expect(turn).toMatchObject({ idempotencyKey: key, state: refusal ? "failed" : "completed" });
    }
    for (const { conversationId, reply } of answers) {
      expect(reply).toMatch(new RegExp(`^Answer \\d+ to ${message}$`));
      expect(turn).toMatchObject({ conversationId, state: "completed", reply: { content: reply } });
    }
    if (!turn || answers.length === 0) continue;
    expect(turn.seq).toBeGreaterThan(last.get(turn.conversationId) ?? 0);
    last.set(turn.conversationId, turn.seq);
  }
}

/** What the model was shown is what is stored before the turn. */
async function checkHistory(
  { asked }: Disaster,
  store: ConversationStore,
  turns: readonly Turn[],
): Promise<void> {
  const history = new History(store, HISTORY_TOKENS);
  for (const { question, messages } of asked) {
    const turn = turns.find(({ user }) => user.content === question);
    if (!turn) throw new Error(`The model was asked ${question}, which is not stored`);
    const before = [...(await history.before(turn)), { role: "user", content: question }];
    expect(messages.slice(1, before.length + 1)).toEqual(before);
  }
}

/** A row for each call of the model; one too many where it is not known whether the call was sent. */
async function checkLedger({ calls }: Disaster, database: SqliteDatabase): Promise<void> {
  const rows = database.run((sql) => sql("SELECT status, output_tokens FROM usage").all());
  const interrupted = rows.filter(({ status }) => status === "interrupted").length;
  expect(rows.length).toBeGreaterThanOrEqual(calls);
  expect(rows.length - interrupted).toBeLessThanOrEqual(calls);
  const numbers = rows.flatMap(({ output_tokens }) => output_tokens ?? []);
  expect(new Set(numbers).size).toBe(numbers.length);
  const ever = { from: 0, to: Number.MAX_SAFE_INTEGER };
  const query = { principal: OWNER, ...ever, groupBy: [], filter: {} };
  const sums = await new SqliteUsageStore(database).sumUsage(query);
  expect(sums).toMatchObject([{ calls: rows.length, interrupted }]);
}
