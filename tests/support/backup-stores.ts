import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BackupSource, BackupTarget } from "../../src/backup/ports.ts";
import type { Step } from "../../src/core/assistant/step.ts";
import type { ConversationStore } from "../../src/core/chat/conversation-store.ts";
import type { SessionStore } from "../../src/core/chat/session-store.ts";
import type { EndedTurn, NewTurn, RunningTurn, Turn } from "../../src/core/chat/turn.ts";
import { randomIds } from "../../src/core/ids.ts";
import type { ModelCall, UsageRow } from "../../src/core/ledger/model-call.ts";
import type { UsageStore } from "../../src/core/ledger/usage-store.ts";
import { MongoBackupSource, MongoBackupTarget } from "../../src/stores/mongo/backup.ts";
import { MongoConversationStore } from "../../src/stores/mongo/conversation-store.ts";
import { MongoSessionStore } from "../../src/stores/mongo/session-store.ts";
import { MongoUsageStore } from "../../src/stores/mongo/usage-store.ts";
import { SqliteBackupSource, SqliteBackupTarget } from "../../src/stores/sqlite/backup.ts";
import { SqliteConversationStore } from "../../src/stores/sqlite/conversation-store.ts";
import { SqliteDatabase } from "../../src/stores/sqlite/database.ts";
import { SqliteSessionStore } from "../../src/stores/sqlite/session-store.ts";
import { SqliteUsageStore } from "../../src/stores/sqlite/usage-store.ts";
import { type MongoServer, openTestDatabase } from "./mongo.ts";
import { openSqlite } from "./sqlite.ts";

/** A fresh store, with the ports that a server uses and those of a backup. */
export interface BackupStore {
  readonly conversations: ConversationStore;
  readonly sessions: SessionStore;
  readonly usage: UsageStore;
  readonly source: BackupSource;
  readonly target: BackupTarget;
  close(): Promise<void>;
}

export type OpenBackupStore = () => Promise<BackupStore>;

const SESSION_TTL_MS = 1_800_000;

export async function openSqliteBackupStore(): Promise<BackupStore> {
  const folder = await mkdtemp(join(tmpdir(), "parley-backup-"));
  const database = await openSqlite(join(folder, "parley.db"));
  const snapshot = new SqliteDatabase(database.path);
  return {
    conversations: new SqliteConversationStore(database),
    sessions: new SqliteSessionStore(database, SESSION_TTL_MS),
    usage: new SqliteUsageStore(database),
    source: new SqliteBackupSource(snapshot),
    target: new SqliteBackupTarget(database),
    async close() {
      database.close();
      snapshot.close();
      await rm(folder, { recursive: true });
    },
  };
}

export function mongoBackupStores(server: MongoServer): OpenBackupStore {
  return async () => {
    const { connect, close } = await openTestDatabase(server);
    const database = connect({ timeoutMs: 20_000 });
    return {
      conversations: new MongoConversationStore(database),
      sessions: new MongoSessionStore(database, SESSION_TTL_MS),
      usage: new MongoUsageStore(database),
      source: new MongoBackupSource(database),
      target: new MongoBackupTarget(database),
      close,
    };
  };
}

/** Sessions of a time long gone would be cleared away by MongoDB. */
export const T0 = Date.now();
export const ids = randomIds(() => T0);

export const STEP: Step = {
  provider: "p",
  model: "m",
  content: 'Let me "look" — naïve 🌦️\u0000\u2028',
  toolCalls: [
    {
      id: "a",
      name: "get_weather",
      arguments: '{"location":"Lisbon"}',
      result: '{"t":20}',
      durationMs: 12.5,
    },
    { id: "b", name: "nope", arguments: "{broken", error: "There is no tool named nope.", durationMs: 0 },
    { id: "c", name: "pending", arguments: '{"$date":1}' },
  ],
  finishReason: "tool_calls",
  usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 1, reasoningTokens: 2 ** 33 },
  startedAt: T0 + 5,
  durationMs: 40,
  firstTokenMs: 7,
};

/** A call that cost more than a JavaScript number holds exactly. */
function call(changes: Partial<ModelCall> = {}): ModelCall {
  return {
    id: ids.next(),
    operation: "reply",
    provider: "p",
    model: "m",
    startedAt: T0 + 5,
    durationMs: 40,
    status: "ok",
    usage: { inputTokens: 10, outputTokens: 2 ** 33, cachedInputTokens: 1 },
    cost: 2n ** 53n + 1n,
    ...changes,
  };
}

/** Begins a turn, and its conversation when there is none. */
export async function begin(
  store: ConversationStore,
  conversationId: string,
  changes: Partial<NewTurn> = {},
  calls: readonly ModelCall[] = [],
): Promise<RunningTurn> {
  const owner = changes.owner ?? "ann";
  const outcome = await store.beginTurn(
    {
      id: ids.next(),
      conversationId,
      owner,
      requestHash: "hash",
      userLocale: { timezone: "Europe/Madrid", locale: "en-GB" },
      user: { messageId: ids.next(), content: "Weather in Lisbon? \u0000 🌦️", createdAt: T0 },
      createdAt: T0,
      lease: { holder: ids.next(), expiresAt: T0 + 10_000 },
      ...changes,
    },
    { id: conversationId, owner, title: `About ${conversationId}`, createdAt: T0 },
    calls,
  );
  if (outcome.type !== "begun") throw new Error(`begun was expected, not ${outcome.type}`);
  return outcome.turn;
}

export async function complete(
  store: ConversationStore,
  turn: RunningTurn,
  content = "20 °C",
): Promise<void> {
  const reply = { messageId: ids.next(), content, createdAt: T0 + 60 };
  await store.endTurn(turn, turn.lease.holder, { state: "completed", reply }, T0 + 60);
}

async function fail(store: ConversationStore, turn: RunningTurn): Promise<void> {
  const error = { code: "unavailable", message: "Later", retryable: true, meta: { reason: "x" } } as const;
  await store.endTurn(turn, turn.lease.holder, { state: "failed", error }, T0 + 50);
}

/** Every kind of turn, two owners, sessions, and a conversation longer than any page. Returns its owners. */
export async function fill({ conversations: store, sessions }: BackupStore): Promise<string[]> {
  const first = ids.next();
  const user = { platform: "telegram", userId: "7" };
  const open = call({ status: "open", durationMs: undefined, usage: undefined, cost: undefined });
  const title = { ...open, id: ids.next(), operation: "title" as const };
  const withSteps = await begin(store, first, { idempotencyKey: "k1", ...user }, [open, title]);
  await store.saveStep(withSteps, withSteps.lease.holder, 0, STEP, T0 + 10, [call({ id: open.id }), call()]);
  await complete(store, withSteps);
  await fail(store, await begin(store, first));
  await complete(store, await begin(store, first));
  await store.setTitle({ conversationId: first, seq: 1 }, "Lisbon ☂");
  await sessions.bind("telegram:1", first, T0);

  await fail(store, await begin(store, ids.next(), { owner: "bob", idempotencyKey: "k1" }));

  const long = ids.next();
  for (let count = 0; count < 120; count++) await complete(store, await begin(store, long), `Reply ${count}`);

  const running = await begin(store, ids.next(), { idempotencyKey: "running" }, [
    call(),
    { ...open, id: ids.next() },
  ]);
  await store.saveStep(running, running.lease.holder, 0, STEP, T0 + 10);
  await sessions.bind("telegram:2", running.conversationId, T0 + 5);
  return ["ann", "bob"];
}

/** All that the owners can see, and the sessions; a turn that runs as a restored one would be. */
export async function everything({ conversations: store, source }: BackupStore, owners: readonly string[]) {
  const seen = [];
  for (const owner of owners) {
    for (const conversation of await store.listConversations(owner, 100_000)) {
      const turns = await store.listTurns(conversation.id, 1, conversation.turnCount);
      seen.push({ conversation, turns: turns.map(asRestored) });
    }
  }
  const sessions = [];
  const rows: UsageRow[] = [];
  for await (const record of source.records()) {
    if (record.type === "session") sessions.push(record.session);
    if (record.type === "usage") rows.push(record.row);
  }
  rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { seen, sessions, rows };
}

export function asRestored(turn: Turn): EndedTurn {
  if (turn.state !== "running") return turn;
  const { lease: _, ...rest } = turn;
  const message = "A backup was taken in the middle of this turn, and restored. Send the message again.";
  return { ...rest, state: "failed", error: { code: "unavailable", message, retryable: true, meta: {} } };
}
