import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import type { BackupTarget } from "../../src/backup/ports.ts";
import type { Step } from "../../src/core/assistant/step.ts";
import type { ConversationStore } from "../../src/core/chat/conversation-store.ts";
import { History } from "../../src/core/chat/history.ts";
import type { EndedTurn } from "../../src/core/chat/turn.ts";
import { ANONYMOUS } from "../../src/core/context.ts";
import { MongoBackupTarget } from "../../src/stores/mongo/backup.ts";
import { MongoConversationStore } from "../../src/stores/mongo/conversation-store.ts";
import { SqliteBackupTarget } from "../../src/stores/sqlite/backup.ts";
import { SqliteConversationStore } from "../../src/stores/sqlite/conversation-store.ts";
import { begin, complete, ids, T0 } from "../support/backup-stores.ts";
import { describeMongo, openTestDatabase } from "../support/mongo.ts";
import { startServer } from "../support/server.ts";
import { openSqlite } from "../support/sqlite.ts";
import { callJson } from "../support/twirp.ts";

const LONG = { turns: 10_000, messageChars: 2_500 };
const SHORT = { turns: 50, messageChars: 2_500 };
/** `APPENDS=1000 npm test -- tests/performance/long-conversation.test.ts` for steadier medians. */
const APPENDS = Number(process.env.APPENDS ?? 100);
const STEP: Step = {
  provider: "p",
  model: "m",
  content: "",
  toolCalls: [{ id: "a", name: "get_weather", arguments: "{}", result: "{}", durationMs: 12 }],
  finishReason: "tool_calls",
  startedAt: T0,
  durationMs: 40,
};
/** What a server gives a model of the past by default. */
const HISTORY_TOKENS = 16_000;
/** A server with MongoDB needs some 35 MB of heap to be there at all; the conversation alone has 50. */
const MAX_HEAP_MB = 60;

interface Store {
  readonly conversations: ConversationStore;
  readonly target: BackupTarget;
}

async function makeConversation(target: BackupTarget, { turns, messageChars }: typeof LONG): Promise<string> {
  const id = ids.next();
  const content = "x".repeat(messageChars);
  const turnAt = (seq: number): EndedTurn => ({
    id: ids.next(),
    conversationId: id,
    seq,
    owner: ANONYMOUS,
    messageOffset: 2 * (seq - 1),
    requestHash: "hash",
    userLocale: { timezone: "UTC", locale: "en" },
    user: { messageId: ids.next(), content, createdAt: T0 },
    steps: [STEP],
    attempts: 1,
    createdAt: T0,
    updatedAt: T0,
    state: "completed",
    reply: { messageId: ids.next(), content, createdAt: T0 },
  });
  const conversation = {
    id,
    owner: ANONYMOUS,
    title: "T",
    titleState: "final" as const,
    turnCount: turns,
    messageCount: 2 * turns,
    createdAt: T0,
    updatedAt: T0,
  };
  await target.insert({ conversations: [conversation], turns: [], sessions: [], usage: [] });
  for (let first = 1; first <= turns; first += 500) {
    const seqs = Array.from({ length: Math.min(500, turns - first + 1) }, (_, index) => first + index);
    const batch = seqs.map((seq) => ({ turn: turnAt(seq), isLast: seq === turns }));
    await target.insert({ conversations: [], turns: batch, sessions: [], usage: [] });
  }
  return id;
}

/** All that a turn asks of its store, in milliseconds. */
async function append(store: ConversationStore, conversationId: string): Promise<number> {
  const startedAt = performance.now();
  const turn = await begin(store, conversationId, { owner: ANONYMOUS });
  await new History(store, HISTORY_TOKENS).before(turn);
  await store.saveStep(turn, turn.lease.holder, 0, STEP, T0);
  await complete(store, turn, "x".repeat(LONG.messageChars));
  return performance.now() - startedAt;
}

/** Appends by turns to both, so that whatever else the machine does touches both alike. */
async function compareAppends(name: string, { conversations, target }: Store): Promise<string> {
  const long = await makeConversation(target, LONG);
  const short = await makeConversation(target, SHORT);
  const times = { long: [] as number[], short: [] as number[] };
  for (let count = 0; count < APPENDS; count++) {
    times.long.push(await append(conversations, long));
    times.short.push(await append(conversations, short));
  }
  const [atEnd, atStart] = [median(times.long), median(times.short)];
  process.stderr.write(
    `${name}: a turn after ${LONG.turns} others ${atEnd.toFixed(2)} ms, after ${SHORT.turns} ` +
      `${atStart.toFixed(2)} ms: ${(atEnd / atStart).toFixed(2)} times\n`,
  );
  for (const [id, { turns }] of [[long, LONG] as const, [short, SHORT] as const]) {
    expect(await conversations.findConversation(ANONYMOUS, id)).toMatchObject({ turnCount: turns + APPENDS });
  }
  return long;
}

/** Reads the conversation page by page from a server whose heap could not hold it. */
async function describeAll(conversation_id: string, env: Record<string, string>, dataDir?: string) {
  const heap = { NODE_OPTIONS: `--max-old-space-size=${MAX_HEAP_MB}` };
  const server = await startServer({ env: { ...env, ...heap }, dataDir });
  try {
    const seen = new Set<string>();
    let page_token = "";
    do {
      const { status, body } = await callJson<Page>(server.url, "DescribeConversation", {
        conversation_id,
        page_token,
        page_size: 500,
      });
      expect(status).toBe(200);
      for (const { id } of body.conversation.messages) seen.add(id);
      page_token = body.next_page_token;
    } while (page_token !== "");
    expect(seen.size).toBe(2 * (LONG.turns + APPENDS));
  } finally {
    await server.stop();
  }
}

interface Page {
  conversation: { messages: { id: string }[] };
  next_page_token: string;
}

test("SQLite: 20,000 messages are appended to and read in bounded memory", async () => {
  const folder = await mkdtemp(join(tmpdir(), "parley-long-"));
  try {
    const database = await openSqlite(join(folder, "parley.db"));
    const conversations = new SqliteConversationStore(database);
    const id = await compareAppends("SQLite", { conversations, target: new SqliteBackupTarget(database) });
    database.close();
    await describeAll(id, {}, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 300_000);

await describeMongo("MongoDB", (mongo) => {
  test("20,000 messages are appended to and read in bounded memory", async () => {
    const { uri, connect, close } = await openTestDatabase(mongo);
    try {
      const database = connect({ timeoutMs: 20_000 });
      const id = await compareAppends("MongoDB", {
        conversations: new MongoConversationStore(database),
        target: new MongoBackupTarget(database),
      });
      await describeAll(id, { MONGO_URI: uri });
    } finally {
      await close();
    }
  }, 300_000);
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
