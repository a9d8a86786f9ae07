import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { cleanTitle, generateTitle, titleFromMessage } from "../../../../src/core/chat/title.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import type { ModelEvent } from "../../../support/model-events.ts";
import { calls, hangs, type ScriptedAnswer, ScriptedModel, says } from "../../../support/scripted-model.ts";

const LINE_BREAK = /[\n\v\f\r\u0085\u2028\u2029]/;

describe("cleanTitle", () => {
  test.each([
    ["Weather in Barcelona", "Weather in Barcelona"],
    ["  Weather\t in   Barcelona ", "Weather in Barcelona"],
    ['"Weather in Barcelona"', "Weather in Barcelona"],
    ["'Weather in Barcelona.'", "Weather in Barcelona"],
    ["“Weather” in «Barcelona»", "Weather in Barcelona"],
    ["„Wetter in Berlin“", "Wetter in Berlin"],
    ["`Weather`", "Weather"],
    ["**Weather in Barcelona**", "Weather in Barcelona"],
    ["# Weather in Barcelona", "Weather in Barcelona"],
    ["## Weather in Barcelona ##", "Weather in Barcelona"],
    ["Title: Weather in Barcelona", "Weather in Barcelona"],
    ["**Title:** Weather in Barcelona", "Weather in Barcelona"],
    ["The user's plans for Sant Joan", "The user's plans for Sant Joan"],
    ["Learning C#", "Learning C#"],
    ["\u200b\u2060", ""],
    ["\n\n  \nWeather in Barcelona\n", "Weather in Barcelona"],
    ["It is 20 degrees.\nTomorrow it will rain.", "It is 20 degrees"],
    ["Weather\r\nin Barcelona", "Weather"],
    ["Weather\u2028in Barcelona", "Weather"],
    ["Weather\u0085in\vBarcelona", "Weather in Barcelona"],
    ["Wea\u202Ether", "Weather"],
    ["<think>The user wants…</think>Weather", "Weather"],
    ["<think>One</think>\n<think>Two\n</think>\n\nWeather", "Weather"],
    ["<THINKING>The user</THINKING> Weather", "Weather"],
    ["<reasoning>The user</reasoning>Weather", "Weather"],
    ["The user wants…\n</think>\n\nWeather", "Weather"],
    ["Weather <think>and so on", "Weather"],
    ["<think>The user wants the weather and", ""],
    ["", ""],
    [" \n\t ", ""],
    ['""', ""],
    ["***", ""],
  ])("%j becomes %j", (text, title) => {
    expect(cleanTitle(text)).toBe(title);
  });

  test("a long answer is cut between words, to at most 80 code points", () => {
    const title = cleanTitle(`${"weather ".repeat(9)}in Barcelona and the holidays there`);
    expect(title).toBe(`${"weather ".repeat(9)}in…`);
    expect(cleanTitle("x".repeat(80))).toBe("x".repeat(80));
    expect(cleanTitle("x".repeat(81))).toBe(`${"x".repeat(79)}…`);
  });

  test("counts an emoji as one, and never cuts it in half", () => {
    expect(cleanTitle("🌦".repeat(80))).toBe("🌦".repeat(80));
    expect(cleanTitle("🌦".repeat(81))).toBe(`${"🌦".repeat(79)}…`);
  });

  test("is always one trimmed line of at most 80 code points", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "<think>",
        "</think>",
        "\n",
        "\u2028",
        "\u0085",
        '"',
        "'",
        "*",
        "#",
        "Title:",
        " ",
        "\u202E",
      ),
      fc.string({ unit: fc.constantFrom("a", " ", "🌦", "\u0301"), maxLength: 120 }),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        for (const title of [cleanTitle(pieces.join("")), titleFromMessage(pieces.join(""))]) {
          expect([...title].length).toBeLessThanOrEqual(80);
          expect(title).not.toMatch(LINE_BREAK);
          expect(title).toBe(title.trim());
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("titleFromMessage", () => {
  test.each([
    ["What is the weather\n in Barcelona?", "What is the weather in Barcelona?"],
    ["\u0000\u202E", "Conversation"],
    ["", "Conversation"],
    [`${"weather ".repeat(20)}`, `${"weather ".repeat(8)}weather…`],
  ])("%j becomes %j", (message, title) => {
    expect(titleFromMessage(message)).toBe(title);
  });
});

describe("generateTitle", () => {
  const ask = (
    answer: ScriptedAnswer,
    { clock = new FakeClock(), signal = new AbortController().signal } = {},
  ) => {
    const model = new ScriptedModel().title(answer);
    return { model, clock, title: generateTitle(model, "Weather in Barcelona?", "ca", clock, signal) };
  };

  test("asks for the subject, without tools and without an answer", async () => {
    const { model, title, clock } = ask(says("Weather"));
    expect(await title).toBe("Weather");
    expect(model.titleRequests).toMatchObject([
      {
        operation: "title",
        tools: [],
        locale: "ca",
        messages: [
          { role: "system", content: expect.stringContaining("Never answer the message") },
          { role: "user", content: "Weather in Barcelona?" },
        ],
      },
    ]);
    expect(clock.sleeping).toBe(0);
  });

  test("shows the model the beginning of a long message, as well-formed text", async () => {
    const model = new ScriptedModel();
    await generateTitle(model, `${"x".repeat(1_999)}🌦`, "en", new FakeClock(), new AbortController().signal);
    expect(model.titleRequests[0]?.messages[1]?.content).toBe(`${"x".repeat(1_999)}\uFFFD`);
  });

  const cases: [string, ModelEvent[]][] = [
    ["nothing", [{ type: "finish", reason: "stop" }]],
    ["a blank", says("  ")],
    ["reasoning without an end", says("<think>The user")],
    ["half a title", says("Weather in", "length")],
    ["tool calls", calls({})],
  ];
  test.each(cases)("%s is no title", async (_, answer) => {
    await expect(ask(answer).title).rejects.toMatchObject({ code: "unavailable" });
  });

  test("gives up on a model that writes without end", async () => {
    let written = 0;
    const model = new ScriptedModel().title(async function* () {
      for (;;) {
        written++;
        yield { type: "text", text: "*".repeat(1_000) };
      }
    });
    const asked = generateTitle(model, "Hi", "en", new FakeClock(), new AbortController().signal);
    await expect(asked).rejects.toMatchObject({ code: "unavailable" });
    expect(written).toBeLessThan(10);
  });

  test("gives up after five seconds", async () => {
    const { clock, title } = ask(hangs);
    const failed = expect(title).rejects.toMatchObject({ code: "deadline_exceeded" });
    await clock.advance(4_999);
    expect(clock.sleeping).toBe(1);
    await clock.advance(1);
    await failed;
  });

  test("ends with the signal's reason", async () => {
    const abort = new AbortController();
    const reason = new Error("over");
    const failed = expect(ask(hangs, { signal: abort.signal }).title).rejects.toBe(reason);
    abort.abort(reason);
    await failed;
  });
});
