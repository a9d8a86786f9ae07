import { describe, expect, test } from "@jest/globals";
import type { OpenAI } from "openai";
import type { ModelMessage, ToolDefinition } from "../../../../src/core/model/language-model.ts";
import { type EncodeOptions, encode } from "../../../../src/providers/openai/encode.ts";

function encoded(messages: readonly ModelMessage[], tools: readonly ToolDefinition[] = [], options = {}) {
  const all: EncodeOptions = { model: "m", ...options };
  const text = encode({ operation: "reply", messages, tools, locale: "en" }, all);
  const body: OpenAI.ChatCompletionCreateParamsStreaming = JSON.parse(text);
  return body;
}

function historyWith(call: { id?: string; name?: string; arguments?: string }) {
  const { id = "call_1", name = "get_weather", arguments: args = "{}" } = call;
  const [assistant, tool] = encoded([
    { role: "assistant", content: "", toolCalls: [{ id, name, arguments: args }] },
    { role: "tool", toolCallId: id, toolName: name, content: "{}", isError: false },
  ]).messages;
  if (assistant?.role !== "assistant" || tool?.role !== "tool") throw new Error("roles changed");
  const sent = assistant.tool_calls?.[0];
  if (sent?.type !== "function") throw new Error("no call");
  return { sent, answeredId: tool.tool_call_id };
}

describe("encode", () => {
  test("asks for a stream with usage, and for nothing else that was not asked for", () => {
    expect(encoded([{ role: "user", content: "Hi" }])).toEqual({
      model: "m",
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  test("messages of every role", () => {
    const call = { id: "call_1", name: "get_weather", arguments: '{"location":"Bern"}' };
    const wireCall = {
      id: "call_1",
      type: "function",
      function: { name: "get_weather", arguments: '{"location":"Bern"}' },
    };
    expect(
      encoded([
        { role: "system", content: "Be kind." },
        { role: "user", content: "Weather?" },
        { role: "assistant", content: "", toolCalls: [call] },
        { role: "tool", toolCallId: "call_1", toolName: "get_weather", content: '{"t":1}', isError: false },
        { role: "assistant", content: "Once more.", toolCalls: [call] },
        { role: "tool", toolCallId: "call_1", toolName: "get_weather", content: "no network", isError: true },
        { role: "assistant", content: "It is cold.", toolCalls: [] },
      ]).messages,
    ).toEqual([
      { role: "system", content: "Be kind." },
      { role: "user", content: "Weather?" },
      { role: "assistant", content: null, tool_calls: [wireCall] },
      { role: "tool", tool_call_id: "call_1", content: '{"t":1}' },
      { role: "assistant", content: "Once more.", tool_calls: [wireCall] },
      { role: "tool", tool_call_id: "call_1", content: "Error: no network" },
      { role: "assistant", content: "It is cold." },
    ]);
  });

  test("tools are functions without `strict` and without `$schema`", () => {
    const parameters = { $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" };
    expect(encoded([], [{ name: "now", description: "The time.", parameters }]).tools).toEqual([
      {
        type: "function",
        function: { name: "now", description: "The time.", parameters: { type: "object" } },
      },
    ]);
  });

  test("each list of tools is its own, and the same in every request", () => {
    const [now, then] = ["now", "then"].map((name) => [{ name, description: "", parameters: {} }]);
    const names = (tools = now) =>
      encoded([], tools).tools?.map((tool) => "function" in tool && tool.function.name);
    expect([names(now), names(then), names(now)]).toEqual([["now"], ["then"], ["now"]]);
  });

  test.each([
    ["OpenAI, by default", undefined, "max_completion_tokens"],
    ["OpenAI, in Europe", "https://eu.api.openai.com/v1", "max_completion_tokens"],
    ["Azure", "https://me.openai.azure.com/openai/v1", "max_completion_tokens"],
    ["Ollama", "http://localhost:11434/v1", "max_tokens"],
    ["a look-alike", "https://notopenai.com/v1", "max_tokens"],
  ])("the limit of %s", (_server, baseUrl, field) => {
    const request = encoded([], [], { baseUrl, maxOutputTokens: 7 });
    expect(Object.entries(request).filter(([name]) => name.startsWith("max_"))).toEqual([[field, 7]]);
  });
});

describe("a history that no server rejects", () => {
  test.each([
    ['{"location":"Bern"}', '{"location":"Bern"}'],
    ['{"location":', "{}"],
    ["", "{}"],
    ["[1]", "{}"],
    ["null", "{}"],
    ['"Bern"', "{}"],
  ])("arguments %j are sent as %j", (args, sent) => {
    expect(historyWith({ arguments: args }).sent.function.arguments).toBe(sent);
  });

  test.each([
    ["get_weather", "get_weather"],
    ["get weather!", "get_weather_"],
    ["", "_"],
    ["x".repeat(70), "x".repeat(64)],
  ])("the name %j is sent as %j", (name, sent) => {
    expect(historyWith({ name }).sent.function.name).toBe(sent);
  });

  test("ids up to OpenAI's limit stay, longer ones shrink, and the result still answers the call", () => {
    const fits = "x".repeat(40);
    expect(historyWith({ id: fits }).sent.id).toBe(fits);
    const { sent, answeredId } = historyWith({ id: `chatcmpl-tool-${"0".repeat(32)}` });
    expect(sent.id.length).toBeLessThanOrEqual(40);
    expect(answeredId).toBe(sent.id);
    expect(historyWith({ id: `chatcmpl-tool-${"1".repeat(32)}` }).sent.id).not.toBe(sent.id);
  });

  test("half a surrogate pair is replaced", () => {
    expect(encoded([{ role: "user", content: "a\ud83d" }]).messages).toEqual([
      { role: "user", content: "a\ufffd" },
    ]);
  });
});
