import { DatabaseSync } from "node:sqlite";
import { MongoClient } from "mongodb";

/** Completed turns, by conversation. */
export type Turns = ReadonlyMap<string, number>;

/** Reads them from the embedded database itself, past the server. */
export function storedInSqlite(path: string): Turns {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = database
      .prepare(
        `SELECT conversations.id AS id, count(*) AS turns FROM turns JOIN conversations
           ON conversations.rowid = turns.conversation WHERE state = 'completed' GROUP BY conversations.id`,
      )
      .all();
    return new Map(rows.map(({ id, turns }) => [String(id), Number(turns)]));
  } finally {
    database.close();
  }
}

/** Reads them from MongoDB itself, past the server. */
export async function storedInMongo(uri: string): Promise<Turns> {
  const client = await MongoClient.connect(uri);
  try {
    const completed = client
      .db()
      .collection("turns")
      .find({ state: "completed" }, { projection: { conversation_id: 1 } });
    const turns = new Map<string, number>();
    for await (const { conversation_id: id } of completed) turns.set(id, (turns.get(id) ?? 0) + 1);
    return turns;
  } finally {
    await client.close();
  }
}

/** How many turns were acknowledged, and how many of them are not in the store. */
export function compareTurns(acknowledged: Turns, stored: Turns): { acknowledged: number; missing: number } {
  let total = 0;
  let missing = 0;
  for (const [conversation, turns] of acknowledged) {
    total += turns;
    missing += Math.max(0, turns - (stored.get(conversation) ?? 0));
  }
  return { acknowledged: total, missing };
}
