import { describe, expect, test } from "@jest/globals";
import type { ModelMessage } from "../../../../src/core/model/language-model.ts";
import {
  ask,
  callsOf,
  conversation,
  holidays,
  math,
  now,
  SYSTEM,
  type Wanted,
  wanted,
  weather,
} from "./support.ts";

const CONVERSATIONS: readonly (readonly [texts: readonly string[], calls: readonly Wanted[]])[] = [
  [["weather in Paris", "and tomorrow?"], [weather("Paris")]],
  [["weather in Paris tomorrow", "and in Lisbon?"], [weather("Lisbon")]],
  [
    ["What is the weather in Barcelona, and which holidays are next there?", "and tomorrow?"],
    [weather("Barcelona")],
  ],
  [
    ["What is the weather in Barcelona, and which holidays are next there?", "and in Lisbon?"],
    [weather("Lisbon"), holidays({ country: "PT" })],
  ],
  [["weather in Paris", "what about next week?"], [weather("Paris", 7)]],
  [["weather in Paris", "and for 5 days?"], [weather("Paris", 5)]],
  [["weather in Paris", "and holidays?"], [holidays({ country: "FR" })]],
  [
    ["next holidays in Spain", "and in 2027?"],
    [holidays({ country: "ES", after_date: "2027-01-01", before_date: "2027-12-31", max_count: 50 })],
  ],
  [["next holidays in Spain", "what about Germany?"], [holidays({ country: "DE" })]],
  [["what time is it in Tokyo", "and in Lisbon?"], [now("Europe/Lisbon")]],
  [
    ["next holidays in Barcelona", "and in Lisbon until the end of the year?"],
    [holidays({ country: "PT", before_date: "2026-12-31", max_count: 50 })],
  ],
  [["weather in Paris", "and in Granollers?"], [weather("Granollers")]],
  [["weather in Paris", "what time is it there?"], [now("Europe/Paris")]],
  [["weather in Paris", "write a poem", "and tomorrow?"], [weather("Paris")]],
  [
    ["weather in Paris and Rome", "which is warmer?"],
    [weather("Paris"), weather("Rome")],
  ],
  [["What's the weather?", "Barcelona"], [weather("Barcelona")]],
  [["weather in Lisbon", "thanks", "will it rain tomorrow?"], [weather("Lisbon")]],
  [["days until Christmas", "and until Easter?"], [math("days_between", { to_date: "2027-03-28" })]],
  [["weather in Paris", "what time is it?"], [now()]],
  [
    ["When it is 15:00 in Madrid, what time is it in New York?", "and in Tokyo?"],
    [math("convert", { date: "2026-11-21T15:00", timezone: "Europe/Madrid", to_timezone: "Asia/Tokyo" })],
  ],
  [["Barcelona?", "the weather please"], [weather("Barcelona")]],
  [["weather in Rome", "What about the weekend"], [weather("Rome")]],
  [["weather in Rome on Monday", "and Tuesday?"], [weather("Rome", 5)]],
  [["weather", "Lisbon please", "and Porto", "tomorrow?"], [weather("Porto")]],
  [["next holidays in Spain", "and Portugal?"], [holidays({ country: "PT" })]],
  [
    ["Is 25 December a holiday in France?", "and 26 December?", "and in Spain?"],
    [holidays({ country: "ES", after_date: "2026-12-26", before_date: "2026-12-26" })],
  ],
  [["What time is it in Tokyo?", "and the weather? "], [weather("Tokyo")]],
  [["What time is it in Tokyo?", "and the weather there?"], [weather("Tokyo")]],
  [["what weekday was 2024-02-29?", "and 2025-03-01?"], [math("weekday", { date: "2025-03-01" })]],
  [
    ["weather in Lisbon", "how about Rome and Paris this weekend?"],
    [weather("Rome"), weather("Paris")],
  ],
  [
    ["weather in Rome", "and what about the holidays there in December?"],
    [holidays({ country: "IT", after_date: "2026-12-01", before_date: "2026-12-31", max_count: 50 })],
  ],
  [["hello", "weather in Rome", "who are you?", "and tomorrow"], [weather("Rome")]],
  [["weather in Rome", "Is it warmer in Paris?"], [weather("Paris")]],
  [["weather in Rome", "what is the meaning of life?"], []],
  [["I live in Lisbon.", "what's the weather like?"], [weather("Lisbon")]],
  [["what day is it today?", "and tomorrow?"], [math("weekday", { date: "2026-11-22" })]],
  [["when is next Friday?", "and next Monday?"], [math("next_weekday", { weekday: "Monday" })]],
  [
    ["what date is 3 weeks from today?", "and from 1 March 2027?"],
    [math("add", { date: "2027-03-01", weeks: 3 })],
  ],
  [
    ["When it is 15:00 in Madrid, what time is it in New York?", "and on 1 April?"],
    [
      math("convert", {
        date: "2027-04-01T15:00",
        timezone: "Europe/Madrid",
        to_timezone: "America/New_York",
      }),
    ],
  ],
  [["days until Christmas", "and in Lisbon?"], []],
];

describe("follow-ups", () => {
  test.each(CONVERSATIONS)("%j", async (texts, calls) => {
    expect(wanted(callsOf(await ask({ messages: conversation(texts) })))).toEqual(calls);
  });

  test("take their topic from holidays that another model looked up", async () => {
    const messages: readonly ModelMessage[] = [
      ...conversation(["¿Cuándo hay fiesta?"]),
      {
        role: "assistant",
        content: "",
        toolCalls: [
          { id: "call_1", name: "get_holidays", arguments: '{"country":"ES","region":"CT"}' },
          { id: "call_2", name: "get_weather", arguments: "{malformed" },
        ],
      },
      { role: "assistant", content: "Pronto.", toolCalls: [] },
      { role: "tool", toolCallId: "call_1", toolName: "get_holidays", content: "{}", isError: false },
      { role: "tool", toolCallId: "call_2", toolName: "get_weather", content: "bad", isError: true },
      { role: "user", content: "and in 2027?" },
    ];
    expect(wanted(callsOf(await ask({ messages })))).toEqual([
      holidays({
        country: "ES",
        region: "CT",
        after_date: "2027-01-01",
        before_date: "2027-12-31",
        max_count: 50,
      }),
    ]);
  });

  test("take their topic from tool calls when another model read the words", async () => {
    const messages: readonly ModelMessage[] = [
      { role: "system", content: SYSTEM },
      { role: "user", content: "¿Llueve en la capital de Portugal?" },
      {
        role: "assistant",
        content: "",
        toolCalls: [{ id: "call_1", name: "get_weather", arguments: '{"location":"Lisbon"}' }],
      },
      { role: "tool", toolCallId: "call_1", toolName: "get_weather", content: "{}", isError: false },
      { role: "assistant", content: "No.", toolCalls: [] },
      { role: "user", content: "and tomorrow?" },
    ];
    expect(wanted(callsOf(await ask({ messages })))).toEqual([weather("Lisbon")]);
  });
});
