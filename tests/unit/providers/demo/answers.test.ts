import { describe, expect, test } from "@jest/globals";
import {
  type FakeTools,
  holidays,
  holidaysResult,
  math,
  play,
  TODAY,
  weather,
  weatherResult,
} from "./support.ts";

const SOURCE = "\n\nWeather data: Open-Meteo.";

const tools: FakeTools = {
  get_weather: ({ location, days }) => weatherResult(String(location), {}, Number(days ?? 3)),
  get_holidays: (args) => {
    const result = holidaysResult({
      after_date: args.after_date ?? TODAY,
      before_date: args.before_date ?? "2027-11-21",
    });
    return { ...result, holidays: result.holidays.slice(0, Number(args.max_count ?? 10)) };
  },
  get_datetime: ({ timezone }) => ({
    timezone: timezone ?? "Europe/Madrid",
    datetime: "2026-11-21T18:15:00+09:00",
    date: TODAY,
    time: "18:15",
    weekday: "Saturday",
    utc_offset: "+09:00",
  }),
  date_math: ({ operation, date, minutes }) => {
    switch (operation) {
      case "days_between":
        return { days: 34, weeks: 4 };
      case "weekday":
        return { date, weekday: "Thursday" };
      case "next_weekday":
        return { date: "2026-11-27", weekday: "Friday" };
      case "convert":
        return { datetime: "2026-11-21T09:00:00-05:00", timezone: "America/New_York", weekday: "Saturday" };
      default:
        return {
          result: minutes === undefined ? "2026-12-12" : "2026-11-21T11:45:00+01:00",
          weekday: "Saturday",
        };
    }
  },
};

const ANSWERS: readonly (readonly [question: string, answer: string])[] = [
  [
    "weather in Girona",
    `It is 14.2 °C in Girona, Spain right now: partly cloudy, feels like 13 °C, humidity 62%, wind 11 km/h. Today, Saturday 21 November: clear sky, 9 to 16 °C, 5% chance of rain.${SOURCE}`,
  ],
  [
    "weather in Girona tomorrow",
    `Girona, Spain on Sunday 22 November: moderate rain, 9 to 17 °C, 80% chance of rain (4.2 mm).${SOURCE}`,
  ],
  [
    "will it rain tomorrow in Girona?",
    `Yes, rain is likely in Girona, Spain on Sunday 22 November: moderate rain, 9 to 17 °C, 80% chance of rain (4.2 mm). Take an umbrella.${SOURCE}`,
  ],
  [
    "do i need an umbrella in Girona",
    `No, rain is unlikely in Girona, Spain on Saturday 21 November: clear sky, 9 to 16 °C, 5% chance of rain. You can leave the umbrella at home. Right now: partly cloudy, 14.2 °C.${SOURCE}`,
  ],
  [
    "will it snow in Girona tomorrow",
    `No snow is forecast in Girona, Spain on Sunday 22 November: moderate rain, 9 to 17 °C, 80% chance of rain (4.2 mm).${SOURCE}`,
  ],
  [
    "how windy is it in Girona",
    `The wind in Girona, Spain is at 11 km/h right now (partly cloudy, 14.2 °C).${SOURCE}`,
  ],
  [
    "how windy will it be in Girona tomorrow",
    `Girona, Spain on Sunday 22 November: moderate rain, 9 to 17 °C, 80% chance of rain (4.2 mm). The forecast does not tell the wind.${SOURCE}`,
  ],
  [
    "weather in Girona this weekend",
    `The forecast for Girona, Spain:\n- Saturday 21 November: clear sky, 9 to 16 °C, 5% chance of rain\n- Sunday 22 November: moderate rain, 9 to 17 °C, 80% chance of rain (4.2 mm)${SOURCE}`,
  ],
  [
    "will it rain in Girona this weekend",
    `Rain is likely in Girona, Spain on Sunday 22 November:\n- Saturday 21 November: clear sky, 9 to 16 °C, 5% chance of rain\n- Sunday 22 November: moderate rain, 9 to 17 °C, 80% chance of rain (4.2 mm)${SOURCE}`,
  ],
  [
    "weather in Girona from Thursday to Sunday",
    `The forecast for Girona, Spain:\n- Thursday 26 November: clear sky, 9 to 21 °C, 5% chance of rain\n- Friday 27 November: clear sky, 9 to 22 °C, 5% chance of rain\n\nThe forecast ends on Friday 27 November.${SOURCE}`,
  ],
  ["weather in Oslo on 25 December", "I can see the weather of Oslo only from today to Friday 27 November."],
  ["what's the weather?", "Which place do you mean? Ask, for example, “weather in Barcelona”."],
  [
    "next holidays in Catalonia",
    "The next holidays in Catalonia, Spain:\n- Tuesday, 8 December 2026: Immaculate Conception\n- Friday, 25 December 2026: Christmas Day",
  ],
  [
    "next holiday in Catalonia",
    "The next holiday in Catalonia, Spain is Immaculate Conception, on Tuesday, 8 December 2026.",
  ],
  [
    "holidays in December in Catalonia",
    "Holidays in Catalonia, Spain between 1 December 2026 and 31 December 2026:\n- Tuesday, 8 December 2026: Immaculate Conception\n- Friday, 25 December 2026: Christmas Day",
  ],
  [
    "holidays in Granollers",
    "I don't know which country Granollers is in, so I can't look up its holidays. Name the country too, as in “holidays in Granollers, Spain”.",
  ],
  [
    "what time is it in Tokyo?",
    "It is 18:15 in Tokyo on Saturday, 21 November 2026 (Asia/Tokyo, UTC+09:00).",
  ],
  [
    "what time is it in the UK?",
    "It is 18:15 in the United Kingdom on Saturday, 21 November 2026 (Europe/London, UTC+09:00).",
  ],
  [
    "what time is it in Granollers?",
    "I don't know the time zone of Granollers. Name a bigger city near it, or its country.",
  ],
  ["what day is it today", "Today is Saturday, 21 November 2026."],
  ["what weekday was 2024-02-29?", "29 February 2024 was a Thursday."],
  ["when is Easter?", "Easter is Sunday, 28 March 2027."],
  ["when is next friday?", "The next Friday is 27 November 2026."],
  ["days until Christmas", "There are 34 days until Christmas (Friday, 25 December 2026)."],
  ["how many weeks until 25 December?", "There are 34 days (4 full weeks) until 25 December 2026."],
  ["how many days since 18 October", "It is 34 days since 18 October 2026."],
  [
    "how many days between 1 March 2027 and 4 April 2027",
    "There are 34 days between 1 March 2027 and 4 April 2027.",
  ],
  ["what date is 3 weeks from today", "3 weeks from today is Saturday, 12 December 2026."],
  ["what time will it be in 90 minutes", "In 90 minutes it will be 11:45 on Saturday, 21 November 2026."],
  [
    "when it is 15:00 in Madrid, what time is it in New York?",
    "When it is 15:00 in Madrid, it is 09:00 on Saturday, 21 November 2026 in New York.",
  ],
  [
    "if it's noon in Oslo, what time is it here?",
    "When it is 12:00 in Oslo, it is 09:00 on Saturday, 21 November 2026 where you are.",
  ],
  ["what weekday is 30 February?", "The calendar has no 30 February, so I can't answer that."],
  ["Barcelona?", "What would you like to know about Barcelona: the weather, the holidays or the time?"],
  ["bye", "Goodbye!"],
];

describe("answers", () => {
  test.each(ANSWERS)("%s", async (question, expected) => {
    expect((await play(question, tools)).answer).toBe(expected);
  });

  test("several questions take one round of parallel calls and one answer", async () => {
    const { answer, rounds } = await play(
      "What is the weather in Barcelona, and which holidays are next there?",
      tools,
    );
    expect(rounds).toEqual([[weather("Barcelona"), holidays({ country: "ES", region: "CT" })]]);
    expect(answer).toMatch(
      /^It is 14.2 °C in Barcelona, .*\n\nThe next holidays in Catalonia, Spain:\n- Tuesday/,
    );
  });

  test("a failed tool is told, and the rest is answered", async () => {
    const failing = {
      ...tools,
      get_weather: () => "The weather service can't be reached right now. Try again later.",
    };
    const { answer } = await play("weather in Barcelona and the next holiday there", failing);
    expect(answer).toBe(
      "I couldn't get the weather for Barcelona. The weather service can't be reached right now. Try again later.\n\n" +
        "The next holiday in Catalonia, Spain is Immaculate Conception, on Tuesday, 8 December 2026.",
    );
  });

  test("every kind of question can fail", async () => {
    const none: FakeTools = {};
    expect((await play("is it a holiday in Spain?", none)).answer).toBe(
      "I couldn't look up the holidays for Spain. There is no tool get_holidays.",
    );
    expect((await play("what time is it?", none)).answer).toBe(
      "I couldn't work that out. There is no tool get_datetime.",
    );
    expect((await play("weather in Rome", { get_weather: () => ({ surprise: true }) })).answer).toBe(
      "I couldn't get the weather for Rome. The answer of the tool has a form that I can't read.",
    );
  });

  test("a second round follows where it needs the first one's result", async () => {
    const { answer, rounds } = await play("how many days until the next holiday in Catalonia?", tools);
    expect(rounds).toEqual([
      [holidays({ country: "ES", region: "CT", max_count: 1 })],
      [math("days_between", { to_date: "2026-12-08" })],
    ]);
    expect(answer).toBe(
      "The next holiday in Catalonia, Spain is Immaculate Conception, on Tuesday, 8 December 2026. That is in 34 days.",
    );
  });

  test("the weather service tells where an unknown place is, in the same turn and later", async () => {
    const located = {
      ...tools,
      get_weather: () =>
        weatherResult("Granollers", {
          location: {
            name: "Granollers",
            region: "Catalonia",
            country: "Spain",
            country_code: "ES",
            timezone: "Europe/Madrid",
          },
        }),
    };
    const first = await play("weather in Granollers and holidays there", located);
    expect(first.rounds).toEqual([[weather("Granollers")], [holidays({ country: "ES", region: "CT" })]]);
    const second = await play("what time is it there?", located, { history: first.messages });
    expect(second.rounds).toEqual([[["get_datetime", { timezone: "Europe/Madrid" }]]]);
  });

  test("when the rounds run out it says what is missing", async () => {
    const { answer } = await play("how many days until the next holiday in Spain?", tools, { rounds: 1 });
    expect(answer).toMatch(
      /8 December 2026\. I couldn't count the days\. I have no tool at hand to look it up\.$/,
    );
  });

  test("a time that a clock change touches comes with the tool's note", async () => {
    const date_math = () => ({ datetime: "2027-03-28T03:30:00+02:00", note: "02:30 does not exist." });
    expect((await play("when it is 02:30 in Madrid, what time is it in Rome?", { date_math })).answer).toBe(
      "When it is 02:30 in Madrid, it is 03:30 on Sunday, 28 March 2027 in Rome. (02:30 does not exist.)",
    );
  });

  test.each([
    [{ days: 0 }, "Christmas (Friday, 25 December 2026) is today."],
    [{ days: 1 }, "There is 1 day until Christmas (Friday, 25 December 2026)."],
    [{ days: -3 }, "Christmas (Friday, 25 December 2026) was 3 days ago."],
  ])("days until Christmas: %j", async (result, expected) => {
    expect((await play("days until Christmas", { date_math: () => result })).answer).toBe(expected);
  });

  test.each([
    [[], "No, Friday, 25 December 2026 is not a holiday in Catalonia, Spain."],
    [
      [{ date: "2026-12-25", name: "Christmas Day", type: "public" }],
      "Yes, Friday, 25 December 2026 is a holiday in Catalonia, Spain: Christmas Day.",
    ],
    [
      [{ date: "2026-12-25", name: "Christmas Day", type: "bank" }],
      "Yes, Friday, 25 December 2026 is a holiday in Catalonia, Spain: Christmas Day (bank).",
    ],
  ])("whether a day is a holiday: %j", async (found, expected) => {
    const get_holidays = () =>
      holidaysResult({ after_date: "2026-12-25", before_date: "2026-12-25", holidays: found });
    expect((await play("Is 25 December a holiday in Barcelona?", { get_holidays })).answer).toBe(expected);
  });

  test("holidays of several days, of a calendar of one's own, and more of them", async () => {
    const get_holidays = () =>
      holidaysResult({
        place: { calendar: "Our office" },
        holidays: [{ date: "2026-12-24", end_date: "2026-12-26", name: "Closed" }],
        more: true,
      });
    expect((await play("next holidays", { get_holidays })).answer).toBe(
      "The next holidays in the calendar “Our office”:\n- Thursday, 24 December 2026 to Saturday, 26 December 2026: Closed\n\nThere are more until 21 November 2027.",
    );
  });

  test("no holidays", async () => {
    const get_holidays = () =>
      holidaysResult({ holidays: [], after_date: "2026-11-23", before_date: "2026-11-29" });
    expect((await play("holidays next week", { get_holidays })).answer).toBe(
      "I find no holidays in Catalonia, Spain between 23 November 2026 and 29 November 2026.",
    );
  });

  test.each([
    ["warmer", "Rome is warmer: 17 °C against 12 °C in Paris."],
    ["colder", "Paris is colder: 12 °C against 17 °C in Rome."],
  ])("which place is %s", async (word, expected) => {
    const get_weather: FakeTools[string] = ({ location }) => {
      const result = weatherResult(String(location));
      return { ...result, current: { ...result.current, temperature: location === "Rome" ? 17 : 12 } };
    };
    const { answer } = await play(`which is ${word}, Paris or Rome?`, { get_weather });
    expect(answer.split("\n\n")[0]).toBe(expected);
  });

  test.each([
    ["en-US", "It is 6:15 PM in Tokyo on Saturday, November 21, 2026 (Asia/Tokyo, UTC+09:00)."],
    ["es-ES", "It is 18:15 in Tokyo on Saturday, 21 November 2026 (Asia/Tokyo, UTC+09:00)."],
    ["no locale", "It is 18:15 in Tokyo on Saturday, 21 November 2026 (Asia/Tokyo, UTC+09:00)."],
  ])("dates and times as in %s", async (locale, expected) => {
    expect((await play("time in Tokyo", tools, { locale })).answer).toBe(expected);
  });

  test.each([
    [{ precipitation_chance_percent: 30 }, /^Perhaps: rain is possible .* An umbrella would not hurt\./],
    [{ precipitation_chance_percent: undefined, precipitation: 0 }, /^No, rain is unlikely .* no rain\./],
    [{ precipitation_chance_percent: undefined, precipitation: 3 }, /^Yes, rain is likely .* 3 mm of rain\./],
    [{ condition: "Light snow" }, /^Snow rather than rain in Oslo/],
  ])("chances of rain: %j", async (day, expected) => {
    const result = weatherResult("Oslo");
    const get_weather = () => ({
      ...result,
      forecast: result.forecast.map((entry) => ({ ...entry, ...day })),
    });
    expect((await play("will it rain in Oslo tomorrow", { get_weather })).answer).toMatch(expected);
  });
});

describe("what it is", () => {
  const plainly = /demo model.*not a real language model.*Try “.*OPENAI_API_KEY.*OPENAI_BASE_URL.*Ollama/s;

  test.each([
    "Who are you?",
    "what can you do",
    "help",
    "are you ChatGPT?",
    "Write me a poem about Barcelona",
    "write a poem about the weather in Rome",
    "what is 2+2?",
    "hello, what is 2+2",
    "Who is the president of France?",
    "fix this code: for (;;) {}",
    "Why is the sky blue?",
  ])("is said plainly to %j", async (text) => {
    const { answer, rounds } = await play(text, tools);
    expect(rounds).toEqual([]);
    expect(answer).toMatch(plainly);
  });

  test("is said in short to a greeting, and not at length twice", async () => {
    const greeting = await play("Hi there!", tools);
    expect(greeting.answer).toMatch(/^Hello! I'm Parley's built-in demo model.*Try “/);
    const first = await play("tell me a joke", tools, { history: greeting.messages });
    expect(first.answer).toMatch(plainly);
    const second = await play("and a story?", tools, { history: first.messages });
    expect(second.answer).toMatch(/^That is beyond this demo model, too\./);
    const thanks = await play("thank you very much!", tools, { history: second.messages });
    expect(thanks.answer).toMatch(/^You're welcome!/);
  });

  test.each(["weather in Rome, and write a poem", "Write a poem and tell me the weather in Rome"])(
    "is said beside what it can do: %s",
    async (text) => {
      const { answer, rounds } = await play(text, tools);
      expect(rounds).toEqual([[weather("Rome")]]);
      expect(answer).toMatch(/^It is 14.2 °C in Rome.*The rest is beyond me: .*OPENAI_API_KEY/s);
    },
  );
});
