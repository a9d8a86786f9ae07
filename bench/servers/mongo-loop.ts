// What the MongoDB driver alone makes of a turn: for each POST four writes, one after the other, of documents
// as large as Parley's: the turn is inserted, gets its two steps, and is ended.
import { createServer } from "node:http";
import { MongoClient } from "mongodb";
import { currentTime, MODEL, QUESTION, REPLY, TOOL } from "./wire.ts";

interface TurnDocument {
  _id: string;
  steps: object[];
  [field: string]: unknown;
}

const client = new MongoClient(process.env.MONGO_URI ?? "", { maxPoolSize: 100 });
const turns = client
  .db()
  .collection<TurnDocument>("loop", { writeConcern: { w: "majority", journal: true } });
const answer = JSON.stringify({ reply: REPLY });
let count = 0;

createServer(async (request, response) => {
  request.resume();
  const _id = `${String(process.pid).padStart(12, "0")}${String(++count).padStart(12, "0")}:1`;
  const turn = { _id };
  await turns.insertOne(newTurn(_id));
  await turns.updateOne(turn, { $set: { "steps.0": step(true), updated_at: new Date() } });
  await turns.updateOne(turn, { $set: { "steps.1": step(false), updated_at: new Date() } });
  const reply = { message_id: _id, content: REPLY, created_at: new Date() };
  await turns.updateOne(turn, { $set: { state: "completed", reply, updated_at: new Date() } });
  response.writeHead(200, { "content-type": "application/json", "content-length": answer.length });
  response.end(answer);
}).listen(Number(process.env.PORT), "127.0.0.1");

function newTurn(_id: string): TurnDocument {
  const now = new Date();
  return {
    _id,
    turn_id: _id,
    conversation_id: _id,
    seq: 1,
    owner: "anonymous",
    request_hash: "0".repeat(64),
    message_offset: 0,
    user: { message_id: _id, content: QUESTION, created_at: now },
    user_locale: { timezone: "UTC", locale: "en" },
    steps: [],
    state: "running",
    lease: { holder: _id, expires_at: now },
    attempts: 1,
    created_at: now,
    updated_at: now,
  };
}

function step(withTool: boolean): object {
  const call = {
    id: "call_1",
    name: TOOL,
    arguments: "{}",
    result: JSON.stringify(currentTime()),
    duration_ms: 1,
  };
  return {
    provider: "openai",
    model: MODEL,
    content: withTool ? "" : REPLY,
    tool_calls: withTool ? [call] : [],
    finish_reason: withTool ? "tool_calls" : "stop",
    usage: { input_tokens: 100, output_tokens: 10 },
    started_at: new Date(),
    duration_ms: 1,
    first_token_ms: 1,
  };
}
