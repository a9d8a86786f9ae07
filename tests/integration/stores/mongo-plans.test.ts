import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { CommandStartedEvent, Document } from "mongodb";
import type { Lease, NewTurn } from "../../../src/core/chat/turn.ts";
import type { ModelCall } from "../../../src/core/ledger/model-call.ts";
import { HOUR_MS } from "../../../src/core/ledger/usage-sums.ts";
import type { MongoDatabase } from "../../../src/stores/mongo/client.ts";
import { MongoConversationStore } from "../../../src/stores/mongo/conversation-store.ts";
import { MongoSessionStore } from "../../../src/stores/mongo/session-store.ts";
import { MongoUsageStore } from "../../../src/stores/mongo/usage-store.ts";
import { describeMongo, openTestDatabase, type TestDatabase } from "../../support/mongo.ts";
import { completed, failed, ids, newCall, newConversation, newTurn, step, T0 } from "./turns.ts";

const lease: Lease = { holder: "next", expiresAt: T0 + 20_000 };

/** A command that looks something up: what it does, where, and the query by which it finds it. */
interface Lookup {
  readonly what: string;
  readonly query: Document;
}

function toLookup({ commandName, command }: CommandStartedEvent): Lookup[] {
  const what = `${commandName} ${command[commandName]}`;
  switch (commandName) {
    case "find": {
      const { find, filter, sort, limit, projection } = command;
      return [
        {
          what,
          query: {
            find,
            filter,
            ...(sort && { sort }),
            ...(limit && { limit }),
            ...(projection && { projection }),
          },
        },
      ];
    }
    // The plan of a write is that of its query; not every server explains writes.
    case "findAndModify":
      return [{ what, query: { find: command.findAndModify, filter: command.query, limit: 1 } }];
    case "update":
      return command.updates.map(({ q }: Document) => ({
        what,
        query: { find: command.update, filter: q, limit: 1 },
      }));
    case "delete":
      return command.deletes.map(({ q }: Document) => ({
        what,
        query: { find: command.delete, filter: q, limit: 1 },
      }));
    // The rest of a pipeline works on what its first stage has found.
    case "aggregate":
      return [{ what, query: { find: command.aggregate, filter: command.pipeline[0].$match } }];
    case "insert":
    case "ping":
      return [];
    default:
      throw new Error(`This test does not know the command ${commandName}`);
  }
}

/** What a plan is made of, in MongoDB's words (stages) or PostgreSQL's (node types). */
function readPlan(explained: Document): { indexes: Set<string>; stages: Set<string> } {
  const indexes = new Set<string>();
  const stages = new Set<string>();
  const planner = explained.queryPlanner;
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    const condition = "Index Cond" in node ? String(node["Index Cond"]) : "";
    for (const [name, value] of Object.entries(node)) {
      if (name === "stage" || name === "Node Type") stages.add(value);
      // Inside PostgreSQL's plan `indexName` lists candidates, and reading everything looks like a scan
      // of `_id_` that is not bounded by the id.
      if (name === "indexName" && planner.winningPlan) indexes.add(value);
      if (name === "Index Name" && (value !== "_id_" || /object_id/.test(condition))) indexes.add(value);
      visit(value);
    }
  };
  visit(planner.winningPlan ?? planner.Plan);
  if (stages.has("IDHACK")) indexes.add("_id_");
  return { indexes, stages };
}

await describeMongo("MongoDB's query plans", (server) => {
  let open: TestDatabase;
  /** A client of its own, so that explaining is not among what is explained. */
  let explainer: MongoDatabase;
  let store: MongoConversationStore;
  let sessions: MongoSessionStore;
  let usage: MongoUsageStore;
  const lookups: Lookup[] = [];

  beforeAll(async () => {
    open = await openTestDatabase(server);
    explainer = open.connect();
    const database = open.connect({ monitorCommands: true });
    store = new MongoConversationStore(database);
    sessions = new MongoSessionStore(database, 60_000);
    usage = new MongoUsageStore(database);
    // Enough of everything that no planner thinks reading it all is cheaper.
    const { conversationId } = await begin();
    for (let count = 1; count < 100; count++) {
      await end(conversationId, count);
      await store.beginTurn(newTurn(conversationId, { idempotencyKey: `k${count}` }));
      await begin({ idempotencyKey: `k${count}` });
      await sessions.resolve(`s${count}`, conversationId, T0);
      const owner = `owner-${count}`;
      const turn = await begin({ owner }, [newCall({ startedAt: T0 + count * HOUR_MS })]);
      await store.endTurn(turn, turn.holder, completed(), T0);
    }
    await usage.catchUp(T0 + 200 * HOUR_MS, new AbortController().signal);
    database.client.on("commandStarted", (event) => lookups.push(...toLookup(event)));
  });
  afterAll(() => open.close());

  async function begin(changes: Partial<NewTurn> = {}, calls: readonly ModelCall[] = []) {
    const turn = newTurn(ids.next(), changes);
    const { conversationId: id, owner } = turn;
    await store.beginTurn(turn, { ...newConversation(), id, owner }, calls);
    return { conversationId: id, seq: 1, messageOffset: 0, createdAt: T0, holder: turn.lease.holder };
  }

  async function end(conversationId: string, seq: number) {
    const turn = await store.findTurn({ conversationId, seq });
    if (turn?.state !== "running") throw new Error(`Turn ${seq} does not run`);
    await store.endTurn(turn, turn.lease.holder, completed(), T0);
  }

  /** The commands of a call, each with the indexes that it uses. */
  async function plansOf(call: () => Promise<unknown>): Promise<string[]> {
    lookups.length = 0;
    await call();
    const made = [...lookups];
    const plans: string[] = [];
    for (const { what, query } of made) {
      const explained = await explainer.db.command({ explain: query, verbosity: "queryPlanner" });
      const { indexes, stages } = readPlan(explained);
      expect([...stages]).not.toContain("COLLSCAN");
      expect([...stages]).not.toContain("Seq Scan");
      // A mongod sorts by the index. DocumentDB sorts what the index gave it: the query bounds that.
      expect([...stages]).not.toContain("SORT");
      plans.push(`${what}: ${[...indexes]}`);
    }
    return plans;
  }

  /** A running turn is found by either: each leads to one document. */
  const RUNNING = expect.stringMatching(/^update turns: (turns_by_seq|turns_running)$/);
  const COUNTED = "update conversations: _id_";

  describe("ConversationStore", () => {
    test("beginTurn", async () => {
      const first = await begin();
      const { conversationId } = first;
      const busy = () => store.beginTurn(newTurn(conversationId));
      expect(await plansOf(busy)).toEqual(["find conversations: _id_", "find turns: turns_by_seq"]);
      await store.endTurn(first, first.holder, failed, T0);
      const next = () => store.beginTurn(newTurn(conversationId, { idempotencyKey: "next" }));
      const plans = await plansOf(next);
      expect(plans.toSorted()).toEqual(
        [
          "find conversations: _id_",
          "find turns: turns_by_seq",
          "find turns: turns_by_key",
          "update turns: turns_by_seq",
          COUNTED,
        ].toSorted(),
      );
    });

    test("beginTurn after a turn that this process has ended looks nothing up", async () => {
      const first = await begin();
      await store.setTitle(first, "Greetings");
      await store.endTurn(first, first.holder, completed(), T0);
      expect(await plansOf(() => store.beginTurn(newTurn(first.conversationId)))).toEqual([]);
    });

    test("beginTurn of a session's keyed message looks for its key", async () => {
      const first = await begin();
      const id = first.conversationId;
      await store.setTitle(first, "Greetings");
      await store.endTurn(first, first.holder, completed(), T0);
      const next = () => store.beginTurn(newTurn(id, { idempotencyKey: "k" }), { ...newConversation(), id });
      expect(await plansOf(next)).toEqual(["find turns: turns_by_owner_key"]);
    });

    test("saveStep, renewLease, endTurn", async () => {
      const turn = await begin();
      await store.saveStep(turn, turn.holder, 0, step, T0);
      expect(await plansOf(() => store.saveStep(turn, turn.holder, 1, step, T0))).toEqual([RUNNING]);
      expect(await plansOf(() => store.renewLease(turn, turn.holder, T0 + 11_000))).toEqual([RUNNING]);
      expect(await plansOf(() => store.endTurn(turn, turn.holder, completed(), T0))).toEqual([
        RUNNING,
        COUNTED,
      ]);
    });

    test("takeOverTurn, reopenTurn", async () => {
      const turn = await begin();
      const TAKEN = expect.stringMatching(/^findAndModify turns: (turns_by_seq|turns_running)$/);
      expect(await plansOf(() => store.takeOverTurn(turn, lease, T0 + 10_000))).toEqual([TAKEN, COUNTED]);
      await store.endTurn(turn, lease.holder, failed, T0 + 10_001);
      const reopen = () => store.reopenTurn(turn, T0 + 10_001, lease, T0 + 10_002);
      expect(await plansOf(reopen)).toEqual(["findAndModify turns: turns_by_seq", COUNTED]);
    });

    test("listExpiredTurns", async () => {
      const plans = await plansOf(() => store.listExpiredTurns(T0 + 10_000, 10));
      expect(plans).toEqual(["find turns: turns_by_lease"]);
    });

    test("findTurn, findTurnByKey, listTurns", async () => {
      const { conversationId } = await begin();
      const ref = { conversationId, seq: 1 };
      expect(await plansOf(() => store.findTurn(ref))).toEqual(["find turns: turns_by_seq"]);
      const plans = await plansOf(() => store.findTurnByKey("ann", "k7"));
      expect(plans).toEqual(["find turns: turns_by_owner_key"]);
      expect(await plansOf(() => store.listTurns(conversationId, 3, 9))).toEqual([
        "find turns: turns_by_seq",
      ]);
    });

    test("findConversation, setTitle", async () => {
      const { conversationId } = await begin();
      expect(await plansOf(() => store.findConversation("ann", conversationId))).toEqual([
        "find conversations: _id_",
        "find turns: turns_by_seq",
      ]);
      const title = () => store.setTitle({ conversationId, seq: 1 }, "Greetings");
      expect(await plansOf(title)).toEqual(["update conversations: _id_"]);
    });

    test("listConversations, its first page and the following", async () => {
      const [first] = await store.listConversations("ann", 1);
      for (const after of [undefined, first]) {
        const plans = await plansOf(() => store.listConversations("ann", 10, after));
        expect(plans).toEqual(["find conversations: conversations_by_creation"]);
      }
    });
  });

  describe("UsageStore", () => {
    const query = {
      principal: "owner-7",
      from: T0,
      to: T0 + 30 * HOUR_MS,
      groupBy: ["model" as const],
      filter: {},
    };
    /** Finds the turns that have something for the ledger, enters it, and marks its sums as stale. */
    const ENTERED = ["find turns: turns_usage_due", "update usage_hours: _id_", "update turns: turns_by_seq"];

    async function endWithCall(startedAt: number) {
      const call = newCall({ startedAt });
      const turn = await begin({ owner: "owner-7" }, [call]);
      await store.endTurn(turn, turn.holder, completed(), T0);
      return { turn, call };
    }

    test("recordCalls", async () => {
      const { turn, call } = await endWithCall(T0);
      expect(await plansOf(() => store.recordCalls(turn, [call]))).toEqual(["update turns: turns_by_seq"]);
      await usage.sumUsage(query);
    });

    test("sumUsage", async () => {
      expect(await plansOf(() => usage.sumUsage(query))).toEqual([
        "find turns: turns_usage_due",
        expect.stringMatching(/^find usage_hours: (usage_hours_stale|usage_hours_by_hour)$/),
        "aggregate usage_hours: usage_hours_by_hour",
      ]);
    });

    test("sumUsage, with something to enter, to correct and to sum up", async () => {
      const { turn, call } = await endWithCall(T0 + 7 * HOUR_MS);
      await usage.sumUsage(query);
      await store.recordCalls(turn, [{ ...call, status: "ok" }, newCall({ status: "unsent" })]);
      const plans = await plansOf(() => usage.sumUsage(query));
      expect(new Set(plans)).toEqual(
        new Set([
          ...ENTERED,
          "update usage: _id_",
          "delete usage: _id_",
          expect.stringMatching(/^find usage_hours: (usage_hours_stale|usage_hours_by_hour)$/),
          "aggregate usage: usage_by_time",
          "aggregate usage_hours: usage_hours_by_hour",
        ]),
      );
    });

    test("catchUp", async () => {
      await endWithCall(T0 + 9 * HOUR_MS);
      const plans = await plansOf(() => usage.catchUp(T0 + 200 * HOUR_MS, new AbortController().signal));
      expect(new Set(plans)).toEqual(
        new Set([...ENTERED, "find usage_hours: usage_hours_stale", "aggregate usage: usage_by_time"]),
      );
    });
  });

  test("SessionStore", async () => {
    const id = ids.next();
    const renewed = ["findAndModify sessions: _id_"];
    const replaced = ["update sessions: _id_"];
    expect(await plansOf(() => sessions.resolve("s1", id, T0))).toEqual(renewed);
    expect(await plansOf(() => sessions.resolve("s1", id, T0 + 60_000))).toEqual([...renewed, ...replaced]);
    expect(await plansOf(() => sessions.bind("s1", id, T0))).toEqual(replaced);
  });

  test("a query without an index is noticed", async () => {
    const query = { find: "turns", filter: { request_hash: "hash" } };
    const explained = await explainer.db.command({ explain: query, verbosity: "queryPlanner" });
    expect(readPlan(explained).indexes.size).toBe(0);
  });
});
