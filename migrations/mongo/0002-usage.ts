import type { MongoMigration } from "../../src/stores/mongo/migrate.ts";

const string = { bsonType: "string" };
const date = { bsonType: "date" };
const count = { bsonType: "int", minimum: 0 };

const row = {
  _id: string,
  principal: string,
  conversation_id: string,
  turn_id: string,
  operation: string,
  provider: string,
  model: string,
  started_at: date,
  status: { bsonType: "string", enum: ["ok", "failed", "aborted", "interrupted"] },
};

const hour = {
  _id: string,
  principal: string,
  hour: date,
  day: date,
  provider: string,
  model: string,
  operation: string,
  platform: string,
  user_id: string,
  version: count,
  summed: count,
};

/** On a sharded cluster `usage` and `usage_hours` are sharded by `{ _id: "hashed" }`. */
export const usage: MongoMigration = {
  version: 2,
  name: "usage",
  up: [
    {
      createIndexes: "turns",
      indexes: [{ name: "turns_usage_due", key: { state: 1 }, partialFilterExpression: { usage_due: true } }],
    },
    {
      createIndexes: "usage",
      indexes: [{ name: "usage_by_time", key: { principal: 1, started_at: 1 } }],
    },
    {
      collMod: "usage",
      validationLevel: "strict",
      validator: {
        $jsonSchema: {
          bsonType: "object",
          required: Object.keys(row),
          properties: { ...row, cost: { bsonType: "long" } },
        },
      },
    },
    {
      createIndexes: "usage_hours",
      indexes: [
        { name: "usage_hours_by_hour", key: { principal: 1, hour: 1 } },
        { name: "usage_hours_stale", key: { hour: 1 }, partialFilterExpression: { stale: true } },
      ],
    },
    {
      collMod: "usage_hours",
      validationLevel: "strict",
      validator: {
        $jsonSchema: { bsonType: "object", required: Object.keys(hour), properties: hour },
      },
    },
  ],
  down: [{ drop: "usage_hours" }, { drop: "usage" }, { dropIndexes: "turns", index: "turns_usage_due" }],
};
