import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { BackupRecord } from "../../src/backup/ports.ts";
import { restoreArchive, verifyArchive } from "../../src/backup/restore.ts";
import { writeArchive } from "../../src/backup/write-archive.ts";
import type { Turn } from "../../src/core/chat/turn.ts";
import { HOUR_MS } from "../../src/core/ledger/usage-sums.ts";
import {
  asRestored,
  type BackupStore,
  begin,
  complete,
  everything,
  fill,
  ids,
  type OpenBackupStore,
  T0,
} from "../support/backup-stores.ts";

/** What every store must do to be backed up and restored. */
export function backupContract(name: string, open: OpenBackupStore): void {
  describe(`Backup: ${name}`, () => {
    let folder: string;
    let from: BackupStore;
    let to: BackupStore;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "parley-archive-"));
      from = await open();
      to = await open();
    });
    afterEach(async () => {
      await from.close();
      await to.close();
      await rm(folder, { recursive: true });
    });

    async function backUp() {
      const path = join(folder, `${ids.next()}.jsonl.gz`);
      await writeArchive(from.source, { path, origin: { store: name, schema: 1 }, now: T0 });
      return verifyArchive(path);
    }

    test("a restored store holds what was backed up, message by message", async () => {
      const owners = await fill(from);
      const archive = await backUp();
      expect(archive.counts).toEqual({ conversations: 4, turns: 125, sessions: 2, usage: 5 });
      expect(archive.header).toMatchObject({ createdAt: T0, source: { store: name, schema: 1 } });

      await restoreArchive(archive, to.target);
      const restored = await everything(to, owners);
      expect(restored.seen).toHaveLength(4);
      expect(restored).toEqual(await everything(from, owners));
      expect(restored.rows).toHaveLength(5);
      expect(restored.rows).toContainEqual(
        expect.objectContaining({ principal: "ann", userId: "7", status: "ok", cost: 2n ** 53n + 1n }),
      );
    });

    test("the restored ledger is summed up", async () => {
      await fill(from);
      await restoreArchive(await backUp(), to.target);
      const hour = T0 - (T0 % HOUR_MS);
      const query = { principal: "ann", from: hour, to: hour + HOUR_MS, groupBy: [], filter: {} };
      expect(await to.usage.sumUsage(query)).toMatchObject([
        { calls: 5, interrupted: 2, inputTokens: 30, outputTokens: 3 * 2 ** 33, cost: 3n * (2n ** 53n + 1n) },
      ]);
      await to.target.clear();
      expect(await to.usage.sumUsage(query)).toEqual([]);
      expect(await to.target.isEmpty()).toBe(true);
    });

    test("a store without anything", async () => {
      const archive = await backUp();
      expect(archive.counts).toEqual({ conversations: 0, turns: 0, sessions: 0, usage: 0 });
      await restoreArchive(archive, to.target);
      expect(await to.target.isEmpty()).toBe(true);
    });

    test("restored conversations go on where they were", async () => {
      await fill(from);
      const [conversation] = (await from.conversations.listConversations("ann", 10)).filter(
        ({ turnCount }) => turnCount === 3,
      );
      if (!conversation) throw new Error("The conversation of three turns is missing");
      await restoreArchive(await backUp(), to.target);
      const turn = await begin(to.conversations, conversation.id);
      expect(turn).toMatchObject({ seq: 4, messageOffset: 5 });
      await complete(to.conversations, turn);
      expect(await to.conversations.findConversation("ann", conversation.id)).toMatchObject({
        turnCount: 4,
        messageCount: 7,
        title: "Lisbon ☂",
      });
      expect(await to.sessions.resolve("telegram:1", ids.next(), T0)).toBe(conversation.id);
    });

    test("a turn that ran is restored as failed, and can be tried again; one with a successor can't", async () => {
      await fill(from);
      const key = ["ann", "running"] as const;
      const running = await from.conversations.findTurnByKey(...key);
      const failed = await findSuperseded(from);
      await restoreArchive(await backUp(), to.target);
      const store = to.conversations;

      expect(await store.listExpiredTurns(T0 + 1e9, 10)).toEqual([]);
      const restored = await store.findTurnByKey(...key);
      if (!running || !restored) throw new Error("The turn with a key is missing");
      expect(restored).toEqual(asRestored(running));
      const lease = { holder: ids.next(), expiresAt: T0 + 1 };
      expect(await store.reopenTurn(failed, failed.updatedAt, lease, T0)).toBeUndefined();
      expect(await store.reopenTurn(restored, restored.updatedAt, lease, T0)).toMatchObject({
        state: "running",
        user: running.user,
      });
    });

    test("a store that is not empty is refused, and left as it is; force replaces all of it", async () => {
      await complete(from.conversations, await begin(from.conversations, ids.next()));
      const archive = await backUp();
      await fill(to);
      const before = await everything(to, ["ann", "bob"]);

      await expect(restoreArchive(archive, to.target)).rejects.toThrow(/not empty.*--force/s);
      expect(await everything(to, ["ann", "bob"])).toEqual(before);
      await restoreArchive(archive, to.target, { force: true });
      expect(await everything(to, ["ann", "bob"])).toEqual(await everything(from, ["ann", "bob"]));
    });

    test("a session alone is not empty", async () => {
      await to.sessions.bind("key", ids.next(), T0);
      expect(await to.target.isEmpty()).toBe(false);
      await to.target.clear();
      expect(await to.target.isEmpty()).toBe(true);
    });

    test("a restore cut short leaves a store that only force restores into", async () => {
      await fill(from);
      const archive = await backUp();
      const { target } = to;
      let batches = 0;
      const breaking = {
        isEmpty: () => target.isEmpty(),
        clear: () => target.clear(),
        async insert(batch: Parameters<typeof target.insert>[0]) {
          const { conversations, turns } = batch;
          await target.insert({ conversations, turns: turns.slice(0, 10), sessions: [], usage: [] });
          batches++;
          throw new Error("The power went");
        },
      };
      await expect(restoreArchive(archive, breaking)).rejects.toThrow("The power went");
      expect(batches).toBe(1);
      await expect(restoreArchive(archive, target)).rejects.toThrow(/not empty/);
      await restoreArchive(archive, target, { force: true });
      expect(await everything(to, ["ann", "bob"])).toEqual(await everything(from, ["ann", "bob"]));
    });

    test("what is written after a conversation was read is not mixed into it", async () => {
      const store = from.conversations;
      const conversationIds = [ids.next(), ids.next(), ids.next()].sort();
      const [first = "", second = "", third = ""] = conversationIds;
      for (const id of [first, second]) {
        for (let count = 0; count < 60; count++) await complete(store, await begin(store, id));
      }
      const open = await begin(store, first);

      const records: BackupRecord[] = [];
      for await (const record of from.source.records()) {
        records.push(record);
        if (records.length > 1) continue;
        await complete(store, open);
        for (let count = 0; count < 60; count++) await complete(store, await begin(store, first));
        await complete(store, await begin(store, second));
        await complete(store, await begin(store, third));
      }
      const turnsOf = (id: string) => turns(records).filter(({ conversationId }) => conversationId === id);
      expect(turnsOf(first).map(({ seq }) => seq)).toEqual(
        Array.from({ length: 61 }, (_, index) => index + 1),
      );
      expect(turnsOf(first).at(-1)).toMatchObject({ state: "running" });
      expect(turnsOf(second).length).toBeGreaterThanOrEqual(60);
      for (const record of records) {
        if (record.type !== "conversation") continue;
        const { id, turnCount, messageCount } = record.conversation;
        const ran = turnsOf(id).filter(({ state }) => state === "running").length;
        expect({ turnCount, messageCount }).toEqual({
          turnCount: turnsOf(id).length,
          messageCount: 2 * turnsOf(id).length - ran,
        });
      }
    });

    test("under load: no gap, sums that agree, and every turn acknowledged before is there", async () => {
      const store = from.conversations;
      const acknowledged: Turn[] = [];
      let done = false;
      let duringBackup = 0;
      const speak = async (id: string) => {
        const turn = await begin(store, id);
        await complete(store, turn);
        acknowledged.push(turn);
      };
      const writer = async () => {
        for (let id = ids.next(), count = 0; !done; count++) {
          if (count % 10 === 9) id = ids.next();
          await speak(id);
          duringBackup++;
          await setImmediate();
        }
      };
      for (let count = 0; count < 10; count++) {
        const id = ids.next();
        for (let turn = 0; turn < 10; turn++) await speak(id);
      }

      const before = [...acknowledged];
      const writers = Promise.all([writer(), writer(), writer(), writer()]);
      const archive = await backUp().finally(() => {
        done = true;
        return writers;
      });
      expect(duringBackup).toBeGreaterThan(0);

      await restoreArchive(archive, to.target);
      const { seen } = await everything(to, ["ann"]);
      expect(seen).toHaveLength(archive.counts.conversations);
      const restored = new Map(seen.flatMap(({ turns }) => turns).map((turn) => [turn.id, turn]));
      for (const { id, conversationId, seq } of before) {
        expect(restored.get(id)).toEqual(await store.findTurn({ conversationId, seq }));
      }
    });
  });
}

function turns(records: readonly BackupRecord[]): Turn[] {
  return records.flatMap((record) => (record.type === "turn" ? [record.turn] : []));
}

async function findSuperseded({ source }: BackupStore): Promise<Turn> {
  for await (const record of source.records()) {
    if (record.type === "turn" && record.turn.state === "failed" && record.turn.seq === 2) return record.turn;
  }
  throw new Error("The failed turn is missing");
}
