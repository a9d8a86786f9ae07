import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { restoreArchive, verifyArchive } from "../../src/backup/restore.ts";
import { writeArchive } from "../../src/backup/write-archive.ts";
import { MongoBackupSource } from "../../src/stores/mongo/backup.ts";
import { MongoConversationStore } from "../../src/stores/mongo/conversation-store.ts";
import { type ConversationDocument, newConversationDocument } from "../../src/stores/mongo/documents.ts";
import {
  type BackupStore,
  begin,
  complete,
  everything,
  fill,
  ids,
  mongoBackupStores,
  openSqliteBackupStore,
  T0,
} from "../support/backup-stores.ts";
import { describeMongo, openTestDatabase } from "../support/mongo.ts";

await describeMongo("MongoDB", (server) => {
  const closing: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  test("SQLite to MongoDB and back: equal message by message, and the archives line by line", async () => {
    const folder = await mkdtemp(join(tmpdir(), "parley-archive-"));
    const [sqlite, mongo, again] = await Promise.all([
      openSqliteBackupStore(),
      mongoBackupStores(server)(),
      openSqliteBackupStore(),
    ]);
    closing.push(sqlite.close, mongo.close, again.close, () => rm(folder, { recursive: true }));
    const backUp = async ({ source }: BackupStore) => {
      const path = join(folder, ids.next());
      await writeArchive(source, { path, origin: { store: "any", schema: 1 }, now: T0 });
      return verifyArchive(path);
    };
    const owners = await fill(sqlite);
    const original = await everything(sqlite, owners);

    const first = await backUp(sqlite);
    await restoreArchive(first, mongo.target);
    expect(await everything(mongo, owners)).toEqual(original);

    const second = await backUp(mongo);
    expect(second.sha256).toBe(first.sha256);
    await restoreArchive(second, again.target);
    expect(await everything(again, owners)).toEqual(original);
  });

  test("sums that a crashed server left behind are counted from the turns", async () => {
    const { connect, close } = await openTestDatabase(server);
    closing.push(close);
    const database = connect();
    const store = new MongoConversationStore(database);
    const id = ids.next();
    for (let count = 0; count < 3; count++) await complete(store, await begin(store, id));
    const whole = await store.findConversation("ann", id);
    const behind = { turn_count: 2, message_count: 3, updated_at: new Date(T0) };
    const conversations = database.db.collection<ConversationDocument>("conversations");
    await conversations.updateOne({ _id: id }, { $set: behind });
    // What is left when the first turn was never inserted.
    await conversations.insertOne(
      newConversationDocument({ id: ids.next(), owner: "ann", title: "", createdAt: T0 }),
    );

    const found = [];
    for await (const record of new MongoBackupSource(database).records()) found.push(record);
    expect(found).toHaveLength(4);
    expect(found[0]).toEqual({ type: "conversation", conversation: whole });
  });
});
