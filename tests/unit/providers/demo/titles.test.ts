import { describe, expect, test } from "@jest/globals";
import { ask, textOf } from "./support.ts";

const TITLES: readonly (readonly [message: string, title: string])[] = [
  ["What is the weather in Barcelona?", "Weather in Barcelona"],
  [
    "What is the weather in Barcelona, and which holidays are next there?",
    "Weather and holidays in Barcelona",
  ],
  ["weather in Paris and Rome", "Weather in Paris and Rome"],
  ["what time is it in Tokyo", "Time in Tokyo"],
  ["holidays in the UK", "Holidays in the United Kingdom"],
  ["how many days until christmas?", "Days until christmas"],
  ["How many days between 1 March 2027 and 5 April 2027?", "Days between 1 March 2027 and 5 April 2027"],
  ["how many days since 1 January 2020", "Days since 1 January 2020"],
  ["What weekday was 29 February 2024?", "Weekday of 29 February 2024"],
  ["When is Easter?", "Date of Easter"],
  ["When is next Friday?", "Next Friday"],
  ["what date is 3 weeks from today?", "Date 3 weeks from today"],
  ["what time will it be in 90 minutes", "Time in 90 minutes"],
  ["When it is 15:00 in Madrid, what time is it in New York?", "Time in Madrid and New York"],
  ["weather in Rome and days until Easter", "Weather in Rome and days until Easter"],
  ["How many days until the next holiday in Spain?", "Days until the next holiday in Spain"],
  ["Who are you?", "What Parley's demo model can do"],
  ["Write me a poem  about\tBarcelona!\nPlease.", "Write me a poem about Barcelona"],
  ["  \n ", "New conversation"],
];

describe("titles", () => {
  test.each(TITLES)("%j", async (message, title) => {
    const messages = [
      { role: "system", content: "Name the subject of the message in one line." },
      { role: "user", content: message },
    ] as const;
    const events = await ask({ operation: "title", messages, tools: [] });
    expect(textOf(events)).toBe(title);
    expect(events.at(-1)).toMatchObject({ type: "finish", reason: "stop" });
  });

  test("have at most 80 code points and end between words", async () => {
    const long = `Tell me ${"a story 🦊 ".repeat(40)}`;
    const title = textOf(
      await ask({ operation: "title", messages: [{ role: "user", content: long }], tools: [] }),
    );
    expect([...title].length).toBeLessThanOrEqual(80);
    expect(title).toMatch(/^Tell me a story .* (?:a|story|🦊)…$/u);
  });
});
