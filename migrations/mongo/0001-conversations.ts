import type { Document, IndexDescription } from "mongodb";
import type { MongoMigration } from "../../src/stores/mongo/migrate.ts";

const string = { bsonType: "string" };
const date = { bsonType: "date" };
const object = { bsonType: "object" };
const array = { bsonType: "array" };
const count = { bsonType: "int", minimum: 0 };
const ordinal = { bsonType: "int", minimum: 1 };
const oneOf = (...values: string[]) => ({ bsonType: "string", enum: values });

interface CollectionSchema {
  readonly name: string;
  readonly indexes: IndexDescription[];
  /** All of them are required. */
  readonly fields: Record<string, Document>;
}

/**
 * On a sharded cluster turns are sharded by `{ conversation_id: 1 }`, which begins each unique index and
 * stands in every filter of a single turn; conversations and sessions by `{ _id: "hashed" }`.
 */
const collections: readonly CollectionSchema[] = [
  {
    name: "conversations",
    indexes: [
      {
        name: "conversations_by_creation",
        key: { owner: 1, created_at: -1, _id: -1 },
        partialFilterExpression: { turn_count: { $gt: 0 } },
      },
    ],
    fields: {
      _id: string,
      owner: string,
      title: string,
      title_state: oneOf("pending", "final"),
      turn_count: count,
      message_count: count,
      created_at: date,
      updated_at: date,
    },
  },
  {
    name: "turns",
    indexes: [
      { name: "turns_by_seq", key: { conversation_id: 1, seq: 1 }, unique: true },
      {
        name: "turns_running",
        key: { conversation_id: 1 },
        unique: true,
        partialFilterExpression: { state: "running" },
      },
      {
        name: "turns_by_key",
        key: { conversation_id: 1, idempotency_key: 1 },
        unique: true,
        partialFilterExpression: { idempotency_key: { $exists: true } },
      },
      {
        name: "turns_by_owner_key",
        key: { owner: 1, idempotency_key: 1 },
        partialFilterExpression: { idempotency_key: { $exists: true } },
      },
      {
        name: "turns_by_lease",
        key: { "lease.expires_at": 1 },
        partialFilterExpression: { state: "running" },
      },
    ],
    fields: {
      _id: string,
      turn_id: string,
      conversation_id: string,
      seq: ordinal,
      owner: string,
      request_hash: string,
      message_offset: count,
      user: object,
      user_locale: object,
      steps: array,
      state: oneOf("running", "completed", "failed"),
      lease: {
        ...object,
        required: ["holder", "expires_at"],
        properties: { holder: string, expires_at: date },
      },
      attempts: ordinal,
      created_at: date,
      updated_at: date,
    },
  },
  {
    name: "sessions",
    indexes: [
      {
        name: "sessions_expired",
        key: { expires_at: 1 },
        // It only clears away: a session's end is told by the caller's clock, from which the server's may differ.
        expireAfterSeconds: 3_600,
      },
    ],
    fields: { _id: string, conversation_id: string, expires_at: date },
  },
];

export const conversations: MongoMigration = {
  version: 1,
  name: "conversations",
  up: collections.flatMap(({ name, indexes, fields }) => [
    { createIndexes: name, indexes },
    // After the collection is made: FerretDB drops a validator that is given when it is.
    {
      collMod: name,
      validationLevel: "strict",
      validator: { $jsonSchema: { bsonType: "object", required: Object.keys(fields), properties: fields } },
    },
  ]),
  down: collections.toReversed().map(({ name }) => ({ drop: name })),
};
