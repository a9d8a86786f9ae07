import { describe, expect, test } from "@jest/globals";
import { AnswerReader, type WireChunk } from "../../../../src/providers/openai/decode.ts";
import { callsOf, type ModelEvent, recorded } from "../../../support/model-events.ts";

type Delta = NonNullable<NonNullable<WireChunk["choices"]>[number]["delta"]>;
type Call = NonNullable<Delta["tool_calls"]>[number];

async function decoded(...chunks: (WireChunk | null)[]): Promise<ModelEvent[]> {
  return recorded((onText) => {
    const answer = new AnswerReader({ onText, makeId: (position) => `made_${position}` });
    for (const chunk of chunks) answer.read(chunk);
    return answer.end();
  });
}

const delta = (value: Delta): WireChunk => ({ choices: [{ delta: value, finish_reason: null }] });
const finish = (reason: string): WireChunk => ({ choices: [{ delta: {}, finish_reason: reason }] });

/** The calls of an answer whose deltas hold these fragments. */
async function calls(...fragments: Call[][]) {
  const events = await decoded(...fragments.map((tool_calls) => delta({ tool_calls })), finish("tool_calls"));
  return callsOf(events);
}

const fn = (name: string | undefined, args?: string | object) => ({ name, arguments: args });

describe("text", () => {
  test("comes as it arrives; role-only, empty, null and reasoning chunks say nothing", async () => {
    const reasoning = { content: null, reasoning_content: "Hm." };
    const events = await decoded(
      { choices: [] },
      {},
      null,
      { choices: null },
      { choices: [{ delta: null }] },
      delta({ ...{ role: "assistant" }, content: "" }),
      delta(reasoning),
      delta({ content: [{ type: "thinking" }] }),
      delta({ content: "Good " }),
      delta({ content: "day." }),
      finish("stop"),
    );
    expect(events).toEqual([
      { type: "text", text: "Good " },
      { type: "text", text: "day." },
      { type: "finish", reason: "stop" },
    ]);
  });

  test("a refusal is text", async () => {
    expect(await decoded(delta({ content: null, refusal: "No." }), finish("stop"))).toEqual([
      { type: "text", text: "No." },
      { type: "finish", reason: "stop" },
    ]);
  });
});

describe("usage", () => {
  test("the last one counts, with or without details", async () => {
    const counted = { usage: { prompt_tokens: 9, completion_tokens: 8 } };
    const detailed = {
      choices: [],
      usage: {
        prompt_tokens: 20,
        completion_tokens: 10,
        prompt_tokens_details: { cached_tokens: 5 },
        completion_tokens_details: { reasoning_tokens: 4 },
      },
    };
    expect((await decoded(counted, finish("stop"))).at(-1)).toMatchObject({
      usage: { inputTokens: 9, outputTokens: 8, cachedInputTokens: undefined, reasoningTokens: undefined },
    });
    expect((await decoded(counted, finish("stop"), detailed)).at(-1)).toMatchObject({
      usage: { inputTokens: 20, outputTokens: 10, cachedInputTokens: 5, reasoningTokens: 4 },
    });
  });

  test("half a usage is none", async () => {
    expect(await decoded(finish("stop"), { usage: { prompt_tokens: 9 } })).toEqual([
      { type: "finish", reason: "stop" },
    ]);
  });
});

describe("the end", () => {
  const call = delta({ tool_calls: [{ index: 0, id: "a", function: fn("now", "{}") }] });

  test.each(["tool_calls", "function_call", "stop", "eos"])("calls and %j are tool_calls", async (reason) => {
    const events = await decoded(call, finish(reason));
    expect(events).toEqual([
      { type: "tool_call", call: { id: "a", name: "now", arguments: "{}" } },
      { type: "finish", reason: "tool_calls" },
    ]);
  });

  test("tool_calls without calls are a stop", async () => {
    expect(await decoded(finish("tool_calls"))).toEqual([{ type: "finish", reason: "stop" }]);
  });

  test.each(["length", "content_filter"])("%s gives no calls: they may be cut off", async (reason) => {
    const usage = { prompt_tokens: 1, completion_tokens: 1 };
    const events = await decoded(call, finish(reason), { choices: [], usage });
    expect(events).toMatchObject([{ type: "finish", reason, usage: { outputTokens: 1 } }]);
  });

  test.each([[[]], [[delta({ content: "Good" })]], [[call]], [[finish("")]], [[finish("error")]]])(
    "without a finish_reason the answer is interrupted: %j",
    async (chunks) => {
      await expect(decoded(...chunks)).rejects.toMatchObject({ meta: { reason: "model_interrupted" } });
    },
  );
});

describe("tool calls", () => {
  const bern = { id: "a", name: "get_weather", arguments: '{"location":"Bern"}' };
  const rome = { id: "b", name: "get_weather", arguments: '{"location":"Rome"}' };

  test("in fragments, interleaved", async () => {
    expect(
      await calls(
        [{ index: 0, id: "a", function: fn("get_weather", "") }],
        [{ index: 1, id: "b", function: fn("get_weather", "") }],
        [{ index: 1, function: fn(undefined, '{"location":') }],
        [{ index: 0, function: fn(undefined, '{"location":') }],
        [
          { index: 0, function: fn(undefined, '"Bern"}') },
          { index: 1, function: fn(undefined, '"Rome"}') },
        ],
      ),
    ).toEqual([bern, rome]);
  });

  test.each<[string, (number | null | undefined)[]]>([
    ["with their indexes", [0, 1]],
    ["all with index 0", [0, 0]],
    ["without an index", [undefined, null]],
  ])("whole, %s", async (_how, indexes) => {
    const whole = [bern, rome].map(({ id, name, arguments: args }, i) => ({
      index: indexes[i],
      id,
      function: fn(name, args),
    }));
    expect(await calls(whole)).toEqual([bern, rome]);
    expect(await calls(...whole.map((one) => [one]))).toEqual([bern, rome]);
  });

  test("whole, all with index 0 and without ids or with the same one", async () => {
    const expected = (ids: string[]) => [
      { ...bern, id: ids[0] },
      { ...rome, id: ids[1] },
    ];
    const whole = (id?: string) =>
      [bern, rome].map((call) => ({ index: 0, id, function: fn(call.name, call.arguments) }));
    expect(await calls(whole())).toEqual(expected(["made_0", "made_1"]));
    expect(await calls(whole(""))).toEqual(expected(["made_0", "made_1"]));
    expect(await calls(whole("same"))).toEqual(expected(["same", "made_1"]));
  });

  test("of two tools, all with index 0, without ids or arguments", async () => {
    expect(
      await calls([
        { index: 0, function: fn("now") },
        { index: 0, function: fn("today") },
      ]),
    ).toEqual([
      { id: "made_0", name: "now", arguments: "{}" },
      { id: "made_1", name: "today", arguments: "{}" },
    ]);
  });

  test.each(["a", undefined])("name repeated with every fragment, id %j", async (id) => {
    const fragments = ['{"location":', '"Bern"', "}"].map((args) => [
      { index: 0, id, function: fn("get_weather", args) },
    ]);
    expect(await calls(...fragments, [{ index: 0, id, function: fn("get_weather", "") }])).toEqual([
      { ...bern, id: id ?? "made_0" },
    ]);
  });

  test("a fresh id with every fragment", async () => {
    expect(
      await calls(
        [{ index: 0, id: "a", function: fn("get_weather", "") }],
        [{ index: 0, id: "x", function: fn(undefined, bern.arguments) }],
      ),
    ).toEqual([bern]);
  });

  test("id and name after the first fragment", async () => {
    expect(
      await calls(
        [{ index: 0, function: null }],
        [{ index: 0, id: "a", function: fn("get_weather", bern.arguments) }],
      ),
    ).toEqual([bern]);
  });

  test("arguments as an object instead of text", async () => {
    expect(await calls([{ id: "a", function: fn("get_weather", { location: "Bern" }) }])).toEqual([bern]);
  });

  test.each([undefined, "", " ", "null"])("arguments %j", async (args) => {
    const [call] = await calls([{ index: 0, id: "a", function: fn("now", args) }]);
    expect(call?.arguments).toBe(args === "null" ? "null" : "{}");
  });

  test("malformed arguments are the tool's to judge", async () => {
    const [call] = await calls([{ index: 0, id: "a", function: fn("now", '{"a":') }]);
    expect(call?.arguments).toBe('{"a":');
  });

  test("the old function_call", async () => {
    const events = await decoded(
      delta({ function_call: fn("get_weather", '{"location":') }),
      delta({ function_call: fn(undefined, '"Bern"}') }),
      finish("function_call"),
    );
    expect(events).toEqual([
      { type: "tool_call", call: { ...bern, id: "made_0" } },
      { type: "finish", reason: "tool_calls" },
    ]);
  });
});
