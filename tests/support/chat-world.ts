import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tool } from "../../src/core/assistant/tool.ts";
import { ToolRegistry } from "../../src/core/assistant/tool-registry.ts";
import { ChatService } from "../../src/core/chat/chat-service.ts";
import { History } from "../../src/core/chat/history.ts";
import type { SessionMetadata } from "../../src/core/chat/session.ts";
import type { SessionStore } from "../../src/core/chat/session-store.ts";
import { type TurnResult, TurnRunner, type TurnRunnerSettings } from "../../src/core/chat/turn-runner.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { RequestContext } from "../../src/core/context.ts";
import { metered } from "../../src/core/ledger/metered-model.ts";
import { PriceList } from "../../src/core/ledger/price-list.ts";
import { PRICES } from "../../src/core/ledger/prices.ts";
import type { LanguageModel } from "../../src/core/model/language-model.ts";
import { type TurnObserver, UNOBSERVED } from "../../src/core/turn-observer.ts";
import { SqliteConversationStore } from "../../src/stores/sqlite/conversation-store.ts";
import { SqliteDatabase } from "../../src/stores/sqlite/database.ts";
import { SqliteSessionStore } from "../../src/stores/sqlite/session-store.ts";
import { FakeClock, settle } from "./fake-clock.ts";
import { type FaultyStore, faultyStore } from "./faults.ts";
import { countedIds } from "./ids.ts";
import { openSqlite } from "./sqlite.ts";
import { TestLog } from "./test-log.ts";

export const SETTINGS: TurnRunnerSettings = {
  timeoutMs: 120_000,
  leaseMs: 30_000,
  waitMs: 60_000,
  maxRounds: 15,
};
export const HISTORY_TOKENS = 8_000;
export const SESSION_TTL_MS = 1_800_000;
export const DEFAULT_LOCALE = { timezone: "Europe/Madrid", locale: "en-GB" };
export const MAX_MESSAGE_CHARS = 200;

/** Part of a request; what is left out is empty. */
export interface Said {
  readonly conversationId?: string;
  readonly key?: string;
  readonly session?: SessionMetadata;
  readonly owner?: string;
}

/** One server process, as far as the core goes: a connection of its own, a runner of its own. */
export interface ServerProcess {
  readonly store: FaultyStore;
  readonly sessions: SessionStore;
  readonly runner: TurnRunner;
  readonly chat: ChatService;
  start(message: string, said?: Said): Promise<TurnResult>;
  continue(message: string, said?: Said): Promise<TurnResult>;
}

interface ProcessOptions {
  readonly tools?: Tool[];
  readonly settings?: Partial<TurnRunnerSettings>;
  readonly observer?: TurnObserver;
  readonly clock?: Clock;
}

/** A fresh embedded database, with any number of processes working on it, in one injected time. */
export class ChatWorld {
  readonly clock = new FakeClock();
  readonly log = new TestLog();
  readonly ids = countedIds();
  readonly #folder: string;
  readonly #opened: SqliteDatabase[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<ChatWorld> {
    const world = new ChatWorld(await mkdtemp(join(tmpdir(), "parley-core-")));
    world.#opened.push(await openSqlite(world.#path));
    return world;
  }

  get #path(): string {
    return join(this.#folder, "parley.db");
  }

  async close(): Promise<void> {
    for (const database of this.#opened) database.close();
    await rm(this.#folder, { recursive: true });
  }

  context(principal = "ann"): RequestContext {
    return { principal, requestId: "r", log: this.log };
  }

  database(): SqliteDatabase {
    // Time is injected here, and the disk would take its own.
    const database = new SqliteDatabase(this.#path, { fileSync: (_fd, done) => done(null) });
    this.#opened.push(database);
    return database;
  }

  process(
    model: LanguageModel,
    { tools = [], settings = {}, observer = UNOBSERVED, clock = this.clock }: ProcessOptions = {},
  ): ServerProcess {
    const { ids } = this;
    const database = this.database();
    const store = faultyStore(new SqliteConversationStore(database));
    const sessions = new SqliteSessionStore(database, SESSION_TTL_MS);
    const runner = new TurnRunner({
      store,
      model: metered(model),
      prices: new PriceList(PRICES),
      tools: new ToolRegistry(tools),
      history: new History(store, HISTORY_TOKENS),
      clock,
      ids,
      observer,
      settings: { ...SETTINGS, ...settings },
    });
    const chat = new ChatService({
      store,
      sessions,
      runner,
      clock,
      ids,
      settings: { maxMessageChars: MAX_MESSAGE_CHARS, defaultLocale: DEFAULT_LOCALE },
    });
    const request = (message: string, said: Said) => ({
      message,
      conversationId: said.conversationId ?? "",
      idempotencyKey: said.key ?? "",
      sessionMetadata: said.session,
    });
    return {
      store,
      sessions,
      runner,
      chat,
      start: (message, said = {}) => chat.start(this.context(said.owner), request(message, said)),
      continue: (message, said = {}) => chat.continue(this.context(said.owner), request(message, said)),
    };
  }

  /** Lets time pass, a little at once, until the promise has settled. */
  async until<T>(promise: Promise<T>, stepMs = 100): Promise<T> {
    let settled = false;
    const note = () => {
      settled = true;
    };
    promise.then(note, note);
    await settle();
    for (let passed = 0; !settled; passed += stepMs) {
      if (passed > 600_000) throw new Error("Nothing came of it in ten minutes");
      await this.clock.advance(stepMs);
    }
    return promise;
  }
}

export function session(changes: Partial<SessionMetadata> = {}): SessionMetadata {
  return { platform: "telegram", userId: "7", chatId: "9", timezone: "", locale: "", ...changes };
}
