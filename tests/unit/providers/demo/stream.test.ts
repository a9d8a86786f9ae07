import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ModelMessage } from "../../../../src/core/model/language-model.ts";
import { createDemoModel } from "../../../../src/providers/demo/index.ts";
import { ask, callsOf, conversation, TOOLS, textOf, wanted, weather } from "./support.ts";

const user = (content: string): ModelMessage => ({ role: "user", content });

describe("the stream", () => {
  test("gives text in pieces and ends with the reason and an estimate of tokens", async () => {
    const messages = [user("hello")];
    const events = await ask({ messages });
    expect(events.filter(({ type }) => type === "text").length).toBeGreaterThan(3);
    const words = textOf(events).match(/[\p{L}\p{N}\p{M}]+|\S/gu)?.length;
    expect(events.at(-1)).toEqual({
      type: "finish",
      reason: "stop",
      usage: { inputTokens: 1, outputTokens: words, cachedInputTokens: 0, reasoningTokens: 0 },
    });
    expect(await ask({ messages })).toEqual(events);
  });

  test("numbers its tool calls through the conversation", async () => {
    const [first, second] = callsOf(await ask({ messages: conversation(["weather in Paris and Rome"]) }));
    expect([first?.id, second?.id]).toEqual(["demo-1", "demo-2"]);
    const messages: readonly ModelMessage[] = [
      ...conversation(["weather in Paris and Rome"]),
      { role: "assistant", content: "", toolCalls: [first, second].flatMap((call) => call ?? []) },
      user("and in Oslo?"),
    ];
    const events = await ask({ messages });
    expect(callsOf(events).map(({ id }) => id)).toEqual(["demo-3"]);
    expect(events.at(-1)).toMatchObject({ reason: "tool_calls" });
  });

  test("calls only tools that are offered", async () => {
    const messages = conversation(["weather in Rome and holidays in Italy"]);
    const events = await ask({ messages, tools: TOOLS.filter(({ name }) => name === "get_weather") });
    expect(wanted(callsOf(events))).toEqual([weather("Rome")]);
    const none = await ask({ messages, tools: [] });
    expect(callsOf(none)).toEqual([]);
    expect(textOf(none)).toBe(
      "I couldn't get the weather for Rome. I have no tool at hand to look it up.\n\n" +
        "I couldn't look up the holidays for Italy. I have no tool at hand to look it up.",
    );
  });

  test("does not ask again what it has asked, in whatever order a store has written the arguments", async () => {
    const call = { id: "demo-1", name: "get_weather", arguments: '{"days":5,"location":"Rome"}' };
    const messages: readonly ModelMessage[] = [
      ...conversation(["weather in Rome for 5 days"]),
      { role: "assistant", content: "", toolCalls: [call] },
      { role: "tool", toolCallId: "demo-1", toolName: "get_weather", content: "no network", isError: true },
    ];
    const events = await ask({ messages });
    expect(callsOf(events)).toEqual([]);
    expect(textOf(events)).toBe("I couldn't get the weather for Rome. No network.");
  });

  test("an abort ends it with the signal's reason, before and between the parts", async () => {
    const model = createDemoModel();
    const reason = new Error("enough");
    const request = { operation: "reply", messages: [user("hello")], tools: [], locale: "en" } as const;
    await expect(model.generate(request, AbortSignal.abort(reason))).rejects.toBe(reason);

    const controller = new AbortController();
    const parts: string[] = [];
    const onText = (part: string) => {
      parts.push(part);
      controller.abort(reason);
    };
    await expect(model.generate({ ...request, onText }, controller.signal)).rejects.toBe(reason);
    expect(parts).toHaveLength(1);
  });
});

describe("today", () => {
  const question = "days until Christmas";

  test("is any ISO date of the system prompt", async () => {
    const messages = [{ role: "system", content: "Today is 2030-12-26." } as const, user(question)];
    expect(wanted(callsOf(await ask({ messages })))).toEqual([
      ["date_math", { operation: "days_between", to_date: "2031-12-25" }],
    ]);
  });

  test("is asked for when nobody tells it", async () => {
    const first = callsOf(await ask({ messages: [user(question)] }));
    expect(wanted(first)).toEqual([["get_datetime", {}]]);
    const told = {
      timezone: "Europe/Madrid",
      date: "2028-06-01",
      time: "10:00",
      weekday: "Thursday",
      utc_offset: "+02:00",
    };
    const answered: ModelMessage[] = [
      user(question),
      { role: "assistant", content: "", toolCalls: first },
      {
        role: "tool",
        toolCallId: "demo-1",
        toolName: "get_datetime",
        content: JSON.stringify(told),
        isError: false,
      },
    ];
    expect(wanted(callsOf(await ask({ messages: answered })))).toEqual([
      ["date_math", { operation: "days_between", to_date: "2028-12-25" }],
    ]);
  });

  test("can't be found out", async () => {
    const events = await ask({ messages: [user(question)], tools: [] });
    expect(textOf(events)).toBe("I can't find out today's date right now, so I can't answer that.");
  });
});

const VOCABULARY =
  `weather rain holidays holiday in on at there it and, tomorrow next 30 February 15:00 Madrid "Paris,"
  Texas until between days weeks 9999 ago from what time is how many when Christmas | ? . ! 1/2/2027 2027-13-40
  the not write poem 東京 İstanbul ﬁ 👨‍👩‍👧 e\u0301 \ud83d \u0000`.split(/\s+/);

async function answers(texts: readonly string[], operation: "reply" | "title"): Promise<boolean> {
  const events = await ask({ operation, messages: conversation(texts) });
  const last = events.at(-1);
  return last?.type === "finish" && (callsOf(events).length > 0 || textOf(events).trim() !== "");
}

describe("whatever is said", () => {
  const operation = fc.constantFrom("reply" as const, "title" as const);

  test("has an answer or a tool call", async () => {
    const sentence = fc
      .array(fc.constantFrom(...VOCABULARY), { maxLength: 20 })
      .map((words) => words.join(" "));
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), sentence);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 3 }), operation, async (texts, kind) => {
        expect(await answers(texts, kind)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("has one whatever a tool has answered", async () => {
    const questions = [
      "weather in Rome this week",
      "is 1 May a holiday in Spain",
      "when is Easter",
      "time in Tokyo",
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...questions),
        fc.string(),
        fc.json(),
        async (question, error, json) => {
          for (const [content, isError] of [
            [error, true],
            [json, false],
          ] as const) {
            const asked = callsOf(await ask({ messages: conversation([question]) }));
            const results = asked.map(
              ({ id, name }) => ({ role: "tool", toolCallId: id, toolName: name, content, isError }) as const,
            );
            const messages = [
              ...conversation([question]),
              { role: "assistant", content: "", toolCalls: asked } as const,
              ...results,
            ];
            expect(textOf(await ask({ messages })).trim()).not.toBe("");
          }
        },
      ),
    );
  });

  test.each([
    "a",
    " ",
    "1 ",
    "weather in Rome, ",
    "rain and ",
    "how many days until ",
    "between 1 May and ",
    "15:00 in Rome time ",
    "2026-",
    "hi ",
    "can you ",
    "great ",
    "A. ",
    "e\u0301",
    "👨‍👩‍👧 ",
  ])("has one at 32,000 characters of %j", async (unit) => {
    const text = unit.repeat(32_000 / unit.length);
    expect(await answers([text], "reply")).toBe(true);
    expect(await answers([text, text], "title")).toBe(true);
  });

  test("is read at the end of a long message", async () => {
    const messages = conversation([
      `${"Lorem ipsum dolor sit amet. ".repeat(1_000)}What is the weather in Oslo?`,
    ]);
    expect(wanted(callsOf(await ask({ messages })))).toEqual([weather("Oslo")]);
  });
});
