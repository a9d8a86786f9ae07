import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { BackupSource } from "../../src/backup/ports.ts";
import type { ConversationStore } from "../../src/core/chat/conversation-store.ts";
import type { NewTurn, RunningTurn, TurnError } from "../../src/core/chat/turn.ts";
import { randomIds } from "../../src/core/ids.ts";
import type { ModelCall, UsageRow } from "../../src/core/ledger/model-call.ts";
import type { UsageDimension, UsageQuery, UsageStore } from "../../src/core/ledger/usage-store.ts";
import {
  addRow,
  DAY_MS,
  HOUR_MS,
  NO_USAGE,
  type UsageSums,
  usageKey,
} from "../../src/core/ledger/usage-sums.ts";
import { seededRandom } from "../support/random.ts";

function withRow(sums: UsageSums, row: UsageRow): UsageSums {
  const together = { ...sums };
  addRow(together, row, 1);
  return together;
}

/** What one process has of a store. */
export interface LedgerProcess {
  readonly store: ConversationStore;
  readonly usage: UsageStore;
  readonly source: BackupSource;
}

/** A fresh store; `connect` gives another process on the same data. */
export interface LedgerUnderTest {
  connect(): Promise<LedgerProcess>;
  close(): Promise<void>;
}

const T0 = Date.parse("2100-01-01T09:30:00Z");
const HOUR = T0 - (T0 % HOUR_MS);
const ids = randomIds(() => T0);
const failure: TurnError = { code: "unavailable", message: "Later", retryable: true, meta: {} };
const failed = { state: "failed", error: failure } as const;
const completed = () =>
  ({ state: "completed", reply: { messageId: ids.next(), content: "Yes", createdAt: T0 } }) as const;

function open(changes: Partial<ModelCall> = {}): ModelCall {
  const call = { id: ids.next(), operation: "reply", provider: "p", model: "m", startedAt: T0 } as const;
  return { ...call, status: "open", ...changes };
}

function ok(changes: Partial<ModelCall> = {}): ModelCall {
  const usage = { inputTokens: 100, outputTokens: 20, cachedInputTokens: 60, reasoningTokens: 5 };
  return open({ status: "ok", durationMs: 40, usage, cost: 7_000n, ...changes });
}

/** How every store must keep account of model calls: ConversationStore writes, UsageStore reads. */
export function usageStoreContract(name: string, start: () => Promise<LedgerUnderTest>): void {
  describe(`UsageStore: ${name}`, () => {
    let under: LedgerUnderTest;
    let store: ConversationStore;
    let usage: UsageStore;
    let source: BackupSource;

    beforeEach(async () => {
      under = await start();
      ({ store, usage, source } = await under.connect());
    });
    afterEach(() => under.close());

    async function begin(
      calls: readonly ModelCall[] = [],
      changes: Partial<NewTurn> = {},
    ): Promise<RunningTurn> {
      const conversationId = changes.conversationId ?? ids.next();
      const owner = changes.owner ?? "ann";
      const turn: NewTurn = {
        id: ids.next(),
        conversationId,
        owner,
        requestHash: "hash",
        userLocale: { timezone: "UTC", locale: "en" },
        user: { messageId: ids.next(), content: "Hello", createdAt: T0 },
        createdAt: T0,
        lease: { holder: ids.next(), expiresAt: T0 + 10_000 },
        ...changes,
      };
      const ifMissing = { id: conversationId, owner, title: "Hello", createdAt: T0 };
      const begun = await store.beginTurn(turn, ifMissing, calls);
      if (begun.type !== "begun") throw new Error(`begun was expected, not ${begun.type}`);
      return begun.turn;
    }

    async function rows(): Promise<UsageRow[]> {
      const found: UsageRow[] = [];
      for await (const record of source.records()) if (record.type === "usage") found.push(record.row);
      return found;
    }

    function query(changes: Partial<UsageQuery> = {}): UsageQuery {
      return { principal: "ann", from: HOUR, to: HOUR + HOUR_MS, groupBy: [], filter: {}, ...changes };
    }

    async function total() {
      return (await usage.sumUsage(query()))[0] ?? NO_USAGE;
    }

    /** The sums are those of the rows, whatever they are. */
    async function expectSummedUp(): Promise<UsageRow[]> {
      const all = await rows();
      expect(await total()).toEqual(all.reduce(withRow, NO_USAGE));
      return all;
    }

    describe("a turn", () => {
      test("has a row for each of its calls once it has ended, as they were given", async () => {
        const [first, second] = [open(), open()];
        const turn = await begin([first], { platform: "telegram", userId: "7" });
        const { holder } = turn.lease;
        const finished = ok({ id: first.id });
        const step = { ...STEP };
        await store.saveStep(turn, holder, 0, step, T0 + 1, [finished, second]);
        expect(await total()).toEqual(NO_USAGE);
        const broken = { ...second, status: "failed" as const, durationMs: 9 };
        expect(await store.endTurn(turn, holder, failed, T0 + 2, [broken])).toBe(true);

        const origin = {
          principal: "ann",
          platform: "telegram",
          userId: "7",
          conversationId: turn.conversationId,
          turnId: turn.id,
        };
        const expected = [
          { ...finished, ...origin },
          { ...broken, ...origin },
        ];
        expect(await expectSummedUp()).toEqual(expected.sort((a, b) => (a.id < b.id ? -1 : 1)));
        expect(await total()).toMatchObject({
          calls: 2,
          failed: 1,
          unknownTokens: 1,
          unknownCost: 1,
          cost: 7_000n,
        });
      });

      test("that was left open is interrupted", async () => {
        const call = open();
        const turn = await begin([call]);
        await store.endTurn(turn, turn.lease.holder, completed(), T0 + 1);
        expect(await expectSummedUp()).toMatchObject([{ id: call.id, status: "interrupted" }]);
      });

      test("takes a call for the title only while the title is pending", async () => {
        const [reply, title] = [open(), open({ operation: "title" })];
        const turn = await begin([reply, title]);
        const done = { ...ok({ id: title.id }), operation: "title" as const };
        await store.setTitle(turn, "Greeting", [done]);
        await store.endTurn(turn, turn.lease.holder, completed(), T0 + 1, [ok({ id: reply.id })]);
        const { conversationId } = turn;
        const next = await begin([open(), open({ operation: "title" })], { conversationId });
        await store.endTurn(next, next.lease.holder, completed(), T0 + 2);
        const found = await expectSummedUp();
        expect(found.map(({ operation, status }) => `${operation} ${status}`).sort()).toEqual([
          "reply interrupted",
          "reply ok",
          "title ok",
        ]);
      });

      test("that was taken over keeps the calls of its former runs", async () => {
        const [first, second] = [open(), open()];
        const turn = await begin([first]);
        const lease = { holder: "heir", expiresAt: T0 + 30_000 };
        await store.takeOverTurn(turn, lease, T0 + 10_000);
        await store.recordCalls(turn, [second]);
        expect(await store.endTurn(turn, turn.lease.holder, completed(), T0, [ok({ id: first.id })])).toBe(
          false,
        );
        await store.endTurn(turn, "heir", completed(), T0, [ok({ id: second.id })]);
        const found = await expectSummedUp();
        expect(new Map(found.map(({ id, status }) => [id, status]))).toEqual(
          new Map([
            [first.id, "interrupted"],
            [second.id, "ok"],
          ]),
        );
        await store.recordCalls(turn, [ok({ id: first.id })]);
        expect(await expectSummedUp()).toMatchObject([{ status: "ok" }, { status: "ok" }]);
      });

      test("that was reopened keeps the calls of its failure", async () => {
        const turn = await begin([open()]);
        const { holder } = turn.lease;
        await store.endTurn(turn, holder, failed, T0 + 1, [open({ status: "failed" })]);
        const again = { holder: "again", expiresAt: T0 + 30_000 };
        await store.reopenTurn(turn, T0 + 1, again, T0 + 2);
        await store.recordCalls(turn, [open()]);
        await store.endTurn(turn, "again", completed(), T0 + 3, [ok()]);
        expect(await expectSummedUp()).toHaveLength(4);
      });

      test("that its holder has lost takes nothing down", async () => {
        const turn = await begin();
        expect(await store.saveStep(turn, "other", 0, STEP, T0, [ok()])).toBe(false);
        expect(await store.endTurn(turn, "other", failed, T0, [ok()])).toBe(false);
        await store.endTurn(turn, turn.lease.holder, failed, T0);
        expect(await expectSummedUp()).toEqual([]);
      });
    });

    describe("a call", () => {
      async function ended(calls: readonly ModelCall[]): Promise<RunningTurn> {
        const turn = await begin(calls);
        await store.endTurn(turn, turn.lease.holder, completed(), T0 + 1);
        return turn;
      }

      test("that ends after its turn replaces what was not known of it", async () => {
        const call = open({ operation: "title" });
        const turn = await ended([call]);
        expect(await expectSummedUp()).toMatchObject([{ status: "interrupted" }]);
        await store.recordCalls(turn, [ok({ id: call.id, operation: "title" })]);
        expect(await expectSummedUp()).toMatchObject([{ status: "ok", cost: 7_000n }]);
      });

      test("that was never sent leaves no row, whenever that is told", async () => {
        const [early, late] = [open(), open()];
        const turn = await begin([early, late]);
        const unsent = { ...early, status: "unsent" as const };
        await store.endTurn(turn, turn.lease.holder, completed(), T0 + 1, [unsent]);
        expect(await expectSummedUp()).toMatchObject([{ id: late.id }]);
        await store.recordCalls(turn, [{ ...late, status: "unsent" }]);
        expect(await expectSummedUp()).toEqual([]);
        expect(await usage.sumUsage(query({ groupBy: ["model"] }))).toEqual([]);
      });

      test("is counted once, however often it is told, and what is known of it stays", async () => {
        const call = ok();
        const turn = await ended([open({ id: call.id }), call]);
        await store.recordCalls(turn, [open({ id: call.id }), call]);
        await usage.catchUp(T0, new AbortController().signal);
        await store.recordCalls(turn, [open({ id: call.id })]);
        await store.recordCalls(turn, [{ ...call, status: "failed" }]);
        expect(await expectSummedUp()).toMatchObject([{ status: "ok" }]);
      });

      test("may have cost more than a number can say exactly, and may have cost nothing", async () => {
        const cost = 2n ** 53n + 1n;
        await ended([
          ok({ cost }),
          ok({ cost }),
          ok({ cost: 0n }),
          ok({ cost: undefined, usage: undefined }),
        ]);
        await expectSummedUp();
        expect(await total()).toMatchObject({ calls: 4, cost: 2n * cost, unknownCost: 1, unknownTokens: 1 });
      });

      test("may have details that the provider did not tell", async () => {
        await ended([ok({ usage: { inputTokens: 2 ** 26, outputTokens: 0 } })]);
        expect(await expectSummedUp()).toMatchObject([{ usage: { inputTokens: 2 ** 26, outputTokens: 0 } }]);
      });
    });

    describe("sums", () => {
      const users = [
        { owner: "ann", platform: "telegram", userId: "7" },
        { owner: "ann", platform: "telegram", userId: "8" },
        { owner: "ann", platform: "slack", userId: "7" },
        { owner: "ann" },
        { owner: "bob", platform: "telegram", userId: "7" },
      ];
      const times = [T0, T0 + HOUR_MS, T0 + DAY_MS, T0 + DAY_MS + HOUR_MS];

      /** Calls of every kind, each of whose sums can be told apart from all others. */
      async function fill(): Promise<UsageRow[]> {
        let weight = 1n;
        for (const user of users) {
          for (const startedAt of times) {
            const calls = [
              { model: "m1" },
              { model: "m2" },
              { model: "m1", provider: "q" },
              { model: "m1", operation: "title" as const },
            ].map((changes) => {
              weight += 1n;
              return ok({ ...changes, startedAt, cost: weight ** 3n });
            });
            const turn = await begin(calls, user);
            await store.endTurn(turn, turn.lease.holder, completed(), T0 + 1);
          }
        }
        return (await rows()).filter(({ principal }) => principal === "ann");
      }

      /** Of the rows, by what a dimension tells apart. */
      function grouped(all: readonly UsageRow[], groupBy: readonly UsageDimension[]) {
        const groups = new Map<string, object>();
        for (const row of all) {
          const { hour, provider, model, platform, userId, operation } = usageKey(row);
          const parts: Record<UsageDimension, object> = {
            day: { time: hour - (hour % DAY_MS) },
            hour: { time: hour },
            model: { provider, model },
            user: { platform, userId },
            platform: { platform },
            operation: { operation },
          };
          const group = Object.assign({}, ...groupBy.map((dimension) => parts[dimension]));
          const key = JSON.stringify(group);
          const { time: _, ...sums } = { ...NO_USAGE, ...groups.get(key) } as typeof NO_USAGE & {
            time?: number;
          };
          groups.set(key, { ...withRow(sums, row), ...group });
        }
        return groups;
      }

      const byText = (groups: Iterable<object>) =>
        [...groups]
          .map((group) =>
            JSON.stringify(Object.entries(group).sort(), (_, value) =>
              typeof value === "bigint" ? String(value) : value,
            ),
          )
          .sort();

      const all = { from: HOUR - DAY_MS, to: HOUR + 2 * DAY_MS };
      const combinations: UsageDimension[][] = [
        [],
        ["day"],
        ["hour"],
        ["model"],
        ["user"],
        ["platform"],
        ["operation"],
        ["hour", "model", "user", "operation"],
        ["platform", "user", "day"],
      ];

      test("are those of the rows, by each dimension and several", async () => {
        const mine = await fill();
        expect(mine).toHaveLength(64);
        for (const groupBy of combinations) {
          const found = await usage.sumUsage(query({ ...all, groupBy }));
          expect([groupBy, byText(found)]).toEqual([groupBy, byText(grouped(mine, groupBy).values())]);
        }
      });

      test("are of a time and of what is asked for", async () => {
        const mine = await fill();
        const cases: [Partial<UsageQuery>, (row: UsageRow) => boolean][] = [
          [{ from: HOUR, to: HOUR + HOUR_MS }, ({ startedAt }) => startedAt === T0],
          [{ from: HOUR + HOUR_MS, to: HOUR + DAY_MS }, ({ startedAt }) => startedAt === T0 + HOUR_MS],
          [{ from: HOUR + 2 * DAY_MS, to: HOUR + 3 * DAY_MS }, () => false],
          [{ ...all, filter: { model: "m1" } }, ({ model }) => model === "m1"],
          [{ ...all, filter: { platform: "telegram" } }, ({ platform }) => platform === "telegram"],
          [{ ...all, filter: { userId: "7" } }, ({ userId }) => userId === "7"],
          [{ ...all, filter: { operation: "title" } }, ({ operation }) => operation === "title"],
          [
            { ...all, filter: { operation: "reply", platform: "slack", userId: "7", model: "m2" } },
            ({ platform, model }) => platform === "slack" && model === "m2",
          ],
        ];
        for (const [changes, isMeant] of cases) {
          const found = await usage.sumUsage(query({ groupBy: ["day"], ...changes }));
          expect(byText(found)).toEqual(byText(grouped(mine.filter(isMeant), ["day"]).values()));
        }
      });

      test("are of the principal alone", async () => {
        await fill();
        expect(await usage.sumUsage(query({ ...all, principal: "bob" }))).toMatchObject([{ calls: 16 }]);
        expect(await usage.sumUsage(query({ ...all, principal: "nobody" }))).toEqual([]);
      });

      test("are right whoever writes, reads and sums up at the same time", async () => {
        const processes = [{ store, usage }, await under.connect(), await under.connect()];
        const random = seededRandom(7);
        const any = () => processes[Math.floor(random() * processes.length)] ?? { store, usage };
        const told = { calls: 0, cost: 0n };
        let done = false;
        const talk = async () => {
          for (let count = 0; count < 12; count++) {
            const [reply, title] = [open(), open({ operation: "title" })];
            const turn = await begin([reply, title], { platform: "x", userId: String(count % 3) });
            const cost = BigInt(Math.floor(random() * 1e9));
            const finished = [ok({ id: reply.id, cost }), ok({ id: title.id, operation: "title", cost })];
            if (random() < 0.5) {
              await any().store.endTurn(turn, turn.lease.holder, completed(), T0, finished);
            } else {
              await any().store.endTurn(turn, turn.lease.holder, completed(), T0);
              await Promise.all(finished.map((call) => any().store.recordCalls(turn, [call])));
            }
            if (random() < 0.3) await any().store.recordCalls(turn, finished);
            told.calls += 2;
            told.cost += 2n * cost;
          }
        };
        const sumUp = async () => {
          while (!done) {
            const sums = (await any().usage.sumUsage(query()))[0];
            expect(sums?.calls ?? 0).toBeLessThanOrEqual(5 * 24);
            await any().usage.catchUp(T0 + HOUR_MS, new AbortController().signal);
            // An embedded database reads without waiting: the writers must get a turn.
            await setImmediate();
          }
        };
        const summing = Promise.all([sumUp(), sumUp()]);
        await Promise.all([talk(), talk(), talk(), talk(), talk()]).finally(() => {
          done = true;
        });
        await summing;
        for (const process of processes) {
          expect(await process.usage.sumUsage(query())).toMatchObject([told]);
        }
        await expectSummedUp();
      });
    });
  });
}

const STEP = {
  provider: "p",
  model: "m",
  content: "",
  toolCalls: [],
  finishReason: "tool_calls" as const,
  startedAt: T0,
  durationMs: 1,
};
