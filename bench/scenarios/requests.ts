import { parley } from "../contestants/parley.ts";
import { echo } from "../contestants/plain.ts";
import { type Bench, Servers } from "../harness/bench.ts";
import { type Contestant, interleave, measure, warmUp } from "../harness/measure.ts";
import type { Request, Traffic } from "../load/traffic.ts";
import { ECHO, PARLEY } from "../report/names.ts";
import type { Comparison, Section } from "../report/results.ts";
import { CHAT_SERVICE } from "../servers/wire.ts";

const CALLERS = 32;
const ITEMS = 50;
const JSON_TYPE = "application/json";
const PROTOBUF_TYPE = "application/protobuf";

const HEALTH: Request = { method: "GET", path: "/health" };
const LIST_EMPTY = rpc("ListConversations", JSON_TYPE, "{}");

/** Requests without a model: what the server itself costs, beside a bare node:http server. */
export async function measureRpc(bench: Bench): Promise<Section> {
  await using servers = new Servers(bench);
  const bare = await servers.start(echo(bench));
  const server = await servers.start(parley(bench));
  const rows: [title: string, request: Request][] = [
    ["GET /health", HEALTH],
    ["ListConversations of an empty store, JSON", LIST_EMPTY],
  ];
  const comparisons: Comparison[] = [];
  for (const [title, request] of rows) {
    const traffic: Traffic = { kind: "request", request };
    const contestants: Contestant[] = [
      { name: ECHO, server: bare, traffic },
      { name: PARLEY, server, traffic },
    ];
    await warmUp(bench, contestants);
    const series = await interleave(bench, contestants, { callers: CALLERS, ms: bench.effort.roundMs });
    comparisons.push({ title, callers: CALLERS, unit: "requests", series, base: ECHO });
  }
  return {
    id: "rpc",
    title: "A request without a model",
    text: "The same request to Parley and to a bare node:http server that sends back what it gets.",
    comparisons,
    figures: [],
  };
}

/** A page of 50 conversations, and of 50 messages, in both encodings. */
export async function measureReading(bench: Bench): Promise<Section> {
  await using servers = new Servers(bench);
  const server = await servers.start(parley(bench));
  const acknowledged = new Map<string, number>();
  // Fifty conversations of one turn, then one of 25 turns: 50 messages.
  const each: Traffic = { kind: "conversations", turns: 1 };
  await measure(bench, { name: PARLEY, server, traffic: each }, { callers: ITEMS - 1, operations: 1 });
  const long: Traffic = { kind: "conversations", turns: ITEMS / 2 };
  await measure(
    bench,
    { name: PARLEY, server, traffic: long, acknowledged },
    { callers: 1, operations: ITEMS / 2 },
  );
  const [id = ""] = acknowledged.keys();

  const describe = { conversation_id: id, page_size: ITEMS };
  const contestants = [
    contestant("List, JSON", rpc("ListConversations", JSON_TYPE, JSON.stringify({ page_size: ITEMS }))),
    // The messages' fields in protobuf's wire format: all of it is ASCII.
    contestant(
      "List, protobuf",
      rpc("ListConversations", PROTOBUF_TYPE, `\x08${String.fromCharCode(ITEMS)}`),
    ),
    contestant("Describe, JSON", rpc("DescribeConversation", JSON_TYPE, JSON.stringify(describe))),
    contestant(
      "Describe, protobuf",
      rpc(
        "DescribeConversation",
        PROTOBUF_TYPE,
        `\x0a${String.fromCharCode(id.length)}${id}\x10${String.fromCharCode(ITEMS)}`,
      ),
    ),
  ];
  function contestant(name: string, request: Request): Contestant {
    return { name, server, traffic: { kind: "request", request } };
  }
  await warmUp(bench, contestants);
  const series = await interleave(bench, contestants, { callers: CALLERS, ms: bench.effort.roundMs });
  return {
    id: "reading",
    title: "Reading",
    text: `ListConversations of ${ITEMS} conversations, and DescribeConversation of ${ITEMS} messages with their tool calls.`,
    comparisons: [{ title: "One page", callers: CALLERS, unit: "requests", series, base: "Describe, JSON" }],
    figures: [],
  };
}

function rpc(method: string, contentType: string, body: string): Request {
  return {
    method: "POST",
    path: `${CHAT_SERVICE}/${method}`,
    headers: { "content-type": contentType },
    body,
  };
}
