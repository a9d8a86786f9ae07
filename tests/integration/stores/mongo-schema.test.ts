import { expect, test } from "@jest/globals";
import { newConversationDocument, newTurnDocument } from "../../../src/stores/mongo/documents.ts";
import { describeMongo, openTestDatabase } from "../../support/mongo.ts";
import { newConversation, newTurn } from "./turns.ts";

await describeMongo("MongoDB's schema", (server) => {
  test("refuses documents of another shape, as a bug and not as a store that is down", async () => {
    const open = await openTestDatabase(server);
    const database = open.connect();
    const conversation = newConversation();
    const turn = newTurnDocument(newTurn(conversation.id), { turnCount: 0, messageCount: 0 }, []);
    const misshapen = [
      ["conversations", { ...newConversationDocument(conversation), title_state: "maybe" }],
      ["turns", { ...turn, seq: 0 }],
      ["turns", { ...turn, lease: { holder: "a" } }],
      ["turns", { ...turn, steps: "none" }],
      ["sessions", { _id: "s", conversation_id: conversation.id, expires_at: 1 }],
    ] as const;
    const insert = (name: string, document: { _id: string }) =>
      database.run(() => database.db.collection<{ _id: string }>(name).insertOne(document));
    for (const [name, document] of misshapen) {
      await expect(insert(name, document)).rejects.toMatchObject({ name: "MongoServerError" });
    }
    await insert("turns", turn);
    await open.close();
  });
});
