import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import type { TurnRef } from "../../../src/core/chat/turn.ts";
import { MongoConversationStore } from "../../../src/stores/mongo/conversation-store.ts";
import { begin, complete, ids, STEP, T0 } from "../../support/backup-stores.ts";
import { describeReplicaSet, openTestDatabase } from "../../support/mongo.ts";

const WRITERS = 8;
const FAILOVERS = 3;

await describeReplicaSet("MongoDB, a replica set", (set) => {
  let open: Awaited<ReturnType<typeof openTestDatabase>>;

  beforeAll(async () => {
    open = await openTestDatabase(set);
  });
  afterAll(() => open.close());

  /** The primary gives way to another member, as in a failover. */
  async function stepDown(): Promise<void> {
    const client = await MongoClient.connect(set.uri);
    try {
      await client.db("admin").command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5 });
    } finally {
      await client.close();
    }
  }

  test("what was acknowledged is there after failovers under load, and the same client goes on", async () => {
    const store = new MongoConversationStore(open.connect());
    const acknowledged: TurnRef[] = [];
    let done = false;

    const write = async () => {
      while (!done) {
        try {
          const turn = await begin(store, ids.next());
          await store.saveStep(turn, turn.lease.holder, 0, STEP, T0);
          await complete(store, turn);
          acknowledged.push(turn);
        } catch (error) {
          expect(error).toMatchObject({ code: "unavailable" });
        }
      }
    };
    const writers = Promise.all(Array.from({ length: WRITERS }, write));
    for (let count = 0; count < FAILOVERS; count++) {
      const before = acknowledged.length;
      await stepDown();
      while (acknowledged.length < before + 10 * WRITERS) await store.ping().catch(() => undefined);
    }
    done = true;
    await writers;

    for (const ref of acknowledged) {
      expect(await store.findTurn(ref)).toMatchObject({ state: "completed", steps: [STEP] });
    }
  }, 120_000);

  test("a write whose connection breaks is sent again by the driver, once", async () => {
    const store = new MongoConversationStore(open.connect());
    const turn = await begin(store, ids.next());
    const client = await MongoClient.connect(set.uri);
    try {
      const failOnce = {
        mode: { times: 1 },
        data: { failCommands: ["update", "findAndModify"], closeConnection: true },
      };
      await client.db("admin").command({ configureFailPoint: "failCommand", ...failOnce });
      expect(await store.saveStep(turn, turn.lease.holder, 0, STEP, T0)).toBe(true);
    } finally {
      await client.close();
    }
    expect(await store.findTurn(turn)).toMatchObject({ steps: [STEP] });
  });
});
