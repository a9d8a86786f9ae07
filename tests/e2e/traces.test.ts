import { beforeAll, describe, expect, test } from "@jest/globals";
import { Aimock } from "../support/aimock.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../support/otlp.ts";
import { startServer } from "../support/server.ts";
import { callJson } from "../support/twirp.ts";

const CALLER = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const MESSAGE = "A canary: what is the date in Lisbon, and in ten days?";
const ARGUMENTS = { timezone: "Europe/Lisbon" };
const REPLY = "A reply about Lisbon.";

const titleReply = { text: "A title", usage: { prompt_tokens: 7, completion_tokens: 2 } };
const isTitle = ({ messages }: { readonly messages: readonly { readonly content: string | null }[] }) =>
  messages[0]?.content?.startsWith("Name the subject") ?? false;

/** A turn with two tools on a built server that sends its traces; the server has ended when this returns. */
async function tracedTurn(env: Record<string, string> = {}, baseUrl = (model: Aimock) => model.baseUrl) {
  const model = await Aimock.start();
  const receiver = await startOtlpReceiver();
  model.always(isTitle, titleReply).script(
    {
      toolCalls: [
        { id: "call_a", name: "get_datetime", arguments: ARGUMENTS },
        { id: "call_b", name: "get_holidays", arguments: { country: "PT" } },
      ],
      usage: { prompt_tokens: 100, completion_tokens: 20 },
    },
    { text: REPLY, usage: { prompt_tokens: 150, completion_tokens: 30 } },
  );
  const server = await startServer({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=blue",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
      OPENAI_BASE_URL: baseUrl(model),
      // However slow the machine is, no lease needs to be renewed.
      TURN_LEASE_SECONDS: "600",
      OPENAI_MODEL: "gpt-5-mini",
      ...env,
    },
  });
  const { status, body } = await callJson<{ conversation_id: string }>(
    server.url,
    "StartConversation",
    { message: MESSAGE, session_metadata: { platform: "web", user_id: "u", chat_id: "c" } },
    { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01`, tracestate: "vendor=1" },
  );
  expect(status).toBe(200);
  await server.stop();
  await receiver.close();
  await model.close();
  const log = server.log.map((line): Record<string, unknown> => JSON.parse(line));
  return { model, receiver, log, conversationId: body.conversation_id };
}

describe("a turn with two tools", () => {
  let turn: Awaited<ReturnType<typeof tracedTurn>>;
  let receiver: OtlpReceiver;

  const spans = (name: string | RegExp) =>
    receiver.spans.filter((span) => (typeof name === "string" ? span.name === name : name.test(span.name)));
  const one = (name: string): ReceivedSpan => {
    const [span, ...others] = spans(name);
    if (!span || others.length > 0) throw new Error(`${name}: ${others.length + (span ? 1 : 0)} spans`);
    return span;
  };
  const childrenOf = (parent: ReceivedSpan) =>
    receiver.spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId).map(({ name }) => name);

  beforeAll(async () => {
    turn = await tracedTurn();
    receiver = turn.receiver;
  });

  test("is one trace, which goes on with the caller's", () => {
    expect(new Set(receiver.spans.map(({ traceId }) => traceId))).toEqual(new Set([CALLER.traceId]));
    expect(one("acai.chat.ChatService/StartConversation")).toMatchObject({
      parentSpanId: CALLER.spanId,
      kind: 2,
      attributes: {
        "rpc.service": "acai.chat.ChatService",
        "rpc.method": "StartConversation",
        "http.response.status_code": 200,
      },
    });
    const ids = new Set(receiver.spans.map(({ spanId }) => spanId));
    expect(ids.size).toBe(receiver.spans.length);
    const orphans = receiver.spans.filter(({ parentSpanId }) => !ids.has(parentSpanId));
    expect(orphans.map(({ name }) => name)).toEqual(["acai.chat.ChatService/StartConversation"]);
  });

  test("is RPC > turn > step > model call and tool calls > store", () => {
    expect(childrenOf(one("acai.chat.ChatService/StartConversation")).sort()).toEqual([
      "conversations.beginTurn",
      "sessions.bind",
      "turn",
    ]);
    const inTurn = childrenOf(one("turn"));
    expect(inTurn.filter((name) => name === "step")).toHaveLength(2);
    expect(new Set(inTurn)).toEqual(
      new Set(["step", "chat gpt-5-mini", "conversations.endTurn", "conversations.setTitle"]),
    );
    const [first, second] = spans("step").toSorted(
      (a, b) => Number(a.attributes["parley.step.index"]) - Number(b.attributes["parley.step.index"]),
    );
    if (!first || !second) throw new Error("There are not two steps");
    expect(childrenOf(first).sort()).toEqual([
      "chat gpt-5-mini",
      "conversations.saveStep",
      "execute_tool get_datetime",
      "execute_tool get_holidays",
    ]);
    // It is written down with the turn's end.
    expect(childrenOf(second)).toEqual(["chat gpt-5-mini"]);
  });

  test("has the attributes of the conventions for generative AI", () => {
    const conversation = { "gen_ai.conversation.id": turn.conversationId };
    expect(one("turn").attributes).toMatchObject({
      ...conversation,
      "gen_ai.operation.name": "invoke_agent",
      "parley.turn.outcome": "completed",
      "gen_ai.usage.input_tokens": 250,
    });
    const chats = spans("chat gpt-5-mini").map(({ attributes }) => attributes);
    expect(chats).toHaveLength(3);
    for (const attributes of chats) {
      expect(attributes).toMatchObject({
        ...conversation,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
      });
    }
    expect(chats).toContainEqual(
      expect.objectContaining({
        "gen_ai.response.finish_reasons": ["tool_calls"],
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
      }),
    );
    expect(one("execute_tool get_datetime").attributes).toMatchObject({
      ...conversation,
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": "get_datetime",
      "gen_ai.tool.call.id": "call_a",
    });
    expect(one("conversations.beginTurn").attributes).toMatchObject({ "db.system.name": "sqlite" });
    expect(one("turn").resource).toMatchObject({
      "service.name": "parley",
      "deployment.environment.name": "test",
    });
    expect(receiver.headers[0]).toMatchObject({ "x-tenant": "blue" });
  });

  test("goes on at the model's server, which is the operator's own", () => {
    const chatIds = spans("chat gpt-5-mini").map(({ spanId }) => spanId);
    const sent = turn.model.requests.map(({ headers }) => headers.traceparent);
    expect(sent).toHaveLength(3);
    for (const traceparent of sent) {
      const [, traceId, spanId] = String(traceparent).split("-");
      expect(traceId).toBe(CALLER.traceId);
      expect(chatIds).toContain(spanId);
    }
    expect(turn.model.requests[0]?.headers.tracestate).toBe("vendor=1");
  });

  test("has its ids on the lines of the log", () => {
    const line = (message: string) => turn.log.find(({ msg }) => msg === message);
    expect(line("Request")).toMatchObject({
      trace_id: CALLER.traceId,
      span_id: one("acai.chat.ChatService/StartConversation").spanId,
    });
    expect(line("Turn")).toMatchObject({
      trace_id: CALLER.traceId,
      span_id: one("turn").spanId,
      conversation_id: turn.conversationId,
    });
  });

  test("tells nothing of what was said", () => {
    const told = JSON.stringify(receiver.spans);
    for (const said of ["canary", "Lisbon", "A title"]) expect(told).not.toContain(said);
  });
});

test("what was said is in the traces when it is wanted", async () => {
  const { receiver } = await tracedTurn({ OTEL_CAPTURE_CONTENT: "true" });
  const replies = receiver.spans.filter(({ name }) => name === "chat gpt-5-mini");
  const said = replies.map(({ attributes }) => String(attributes["gen_ai.input.messages"]));
  expect(JSON.parse(said[0] ?? "")).toContainEqual({
    role: "user",
    parts: [{ type: "text", content: MESSAGE }],
  });
  expect(JSON.stringify(replies.map(({ attributes }) => attributes["gen_ai.output.messages"]))).toContain(
    REPLY,
  );
  const tool = receiver.spans.find(({ name }) => name === "execute_tool get_datetime");
  expect(JSON.parse(String(tool?.attributes["gen_ai.tool.call.arguments"]))).toEqual(ARGUMENTS);
  expect(String(tool?.attributes["gen_ai.tool.call.result"])).toContain("Lisbon");
});

test("a host that is allowed only by its network gets no trace headers", async () => {
  const { model, receiver } = await tracedTurn({ OUTBOUND_ALLOW: "127.0.0.0/8,::1/128" }, ({ baseUrl }) =>
    baseUrl.replace("127.0.0.1", "localhost"),
  );
  expect(receiver.spans.length).toBeGreaterThan(0);
  expect(model.requests).toHaveLength(3);
  for (const { headers } of model.requests) {
    expect(headers).not.toHaveProperty("traceparent");
    expect(headers).not.toHaveProperty("tracestate");
  }
});

test("what the sampler leaves out is not sent, and the log still names the trace", async () => {
  const { receiver, log } = await tracedTurn({ OTEL_TRACES_SAMPLER: "always_off" });
  expect(receiver.spans).toEqual([]);
  expect(log.find(({ msg }) => msg === "Request")).toMatchObject({ trace_id: CALLER.traceId });
});

test("a collector that is away costs no turn, and one line of the log", async () => {
  const { receiver, log } = await tracedTurn({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" });
  expect(receiver.spans).toEqual([]);
  const warnings = log.filter(({ level }) => Number(level) >= 40);
  expect(warnings.map(({ msg }) => msg)).toEqual([
    "The server ends although its last traces could not be sent",
  ]);
});

test("without an endpoint nothing is traced", async () => {
  const server = await startServer();
  await callJson(server.url, "StartConversation", { message: "What day is it?" }, {});
  await server.stop();
  expect(server.log.join("\n")).not.toMatch(/trace_id|span_id/);
});
