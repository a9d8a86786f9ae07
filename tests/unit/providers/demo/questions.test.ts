import { describe, expect, test } from "@jest/globals";
import { ask, callsOf, conversation, holidays, math, now, type Wanted, wanted, weather } from "./support.ts";

const QUESTIONS: readonly (readonly [text: string, calls: readonly Wanted[]])[] = [
  [
    "What is the weather in Barcelona, and which holidays are next there?",
    [weather("Barcelona"), holidays({ country: "ES", region: "CT" })],
  ],
  ["whats the weather in barcelona", [weather("Barcelona")]],
  ["Weather Barcelona", [weather("Barcelona")]],
  ["barcelona weather tomorrow?", [weather("Barcelona")]],
  ["What's the weather like in Vilafranca del Penedès?", [weather("Vilafranca del Penedès")]],
  ["weather in vilafranca del penedes tomorrow", [weather("vilafranca del penedes")]],
  ["Will it rain tomorrow in Lisbon?", [weather("Lisbon")]],
  ["do i need an umbrella in London on Friday", [weather("London", 7)]],
  ["weather in Paris and Rome", [weather("Paris"), weather("Rome")]],
  ["What's the weather in Paris, Texas?", [weather("Paris, Texas")]],
  ["weather in London, Ontario this weekend", [weather("London, Ontario")]],
  ["Forecast for Tokyo for the next 5 days", [weather("Tokyo", 5)]],
  ["5-day forecast for Madrid", [weather("Madrid", 5)]],
  ["weather in Nice", [weather("Nice")]],
  ["what is the temperature in new york right now", [weather("New York")]],
  ["WEATHER IN BERLIN", [weather("Berlin")]],
  ["How hot will it be in Seville next Tuesday?", [weather("Seville", 5)]],
  ["how cold is it in the Alps?", [weather("Alps")]],
  ["weather in Valencia", [weather("Valencia")]],
  ["which is warmer, Paris or Rome?", [weather("Paris"), weather("Rome")]],
  ["next holidays in Catalonia", [holidays({ country: "ES", region: "CT" })]],
  [
    "public holidays in Germany in December",
    [holidays({ country: "DE", after_date: "2026-12-01", before_date: "2026-12-31", max_count: 50 })],
  ],
  [
    "is 25 December a holiday in France?",
    [holidays({ country: "FR", after_date: "2026-12-25", before_date: "2026-12-25" })],
  ],
  [
    "Is Christmas a public holiday in Japan",
    [holidays({ country: "JP", after_date: "2026-12-25", before_date: "2026-12-25" })],
  ],
  [
    "holidays between 2026-12-01 and 2027-01-10",
    [holidays({ after_date: "2026-12-01", before_date: "2027-01-10", max_count: 50 })],
  ],
  ["holidays in 2027", [holidays({ after_date: "2027-01-01", before_date: "2027-12-31", max_count: 50 })]],
  ["next 3 holidays", [holidays({ max_count: 3 })]],
  ["When is the next bank holiday in Scotland?", [holidays({ country: "GB", region: "SCT", max_count: 1 })]],
  [
    "holidays in the UK next month",
    [holidays({ country: "GB", after_date: "2026-12-01", before_date: "2026-12-31", max_count: 50 })],
  ],
  [
    "Which holidays are there in Munich in 2027?",
    [
      holidays({
        country: "DE",
        region: "BY",
        after_date: "2027-01-01",
        before_date: "2027-12-31",
        max_count: 50,
      }),
    ],
  ],
  ["holidays in US", [holidays({ country: "US" })]],
  ["holidays in Granollers, Spain", [holidays({ country: "ES" })]],
  [
    "Any holidays next week?",
    [holidays({ after_date: "2026-11-23", before_date: "2026-11-29", max_count: 50 })],
  ],
  [
    "Is there a holiday tomorrow in Barcelona?",
    [holidays({ country: "ES", region: "CT", after_date: "2026-11-22", before_date: "2026-11-22" })],
  ],
  [
    "what holidays are there in Portugal until March",
    [holidays({ country: "PT", before_date: "2027-03-31", max_count: 50 })],
  ],
  ["what time is it in Tokyo?", [now("Asia/Tokyo")]],
  ["what time is it", [now()]],
  ["whats the time in new york", [now("America/New_York")]],
  ["time in london", [now("Europe/London")]],
  ["current time in Sydney please", [now("Australia/Sydney")]],
  ["What day is it today?", [now()]],
  ["what's the date?", [now()]],
  ["what weekday was 2024-02-29?", [math("weekday", { date: "2024-02-29" })]],
  ["what day of the week was 29 February 2024", [math("weekday", { date: "2024-02-29" })]],
  ["How many days until Christmas?", [math("days_between", { to_date: "2026-12-25" })]],
  ["days until the end of the year", [math("days_between", { to_date: "2026-12-31" })]],
  ["days until the end of next month", [math("days_between", { to_date: "2026-12-31" })]],
  ["days until 24 December", [math("days_between", { to_date: "2026-12-24" })]],
  [
    "how many days between 1 March 2027 and 5 April 2027?",
    [math("days_between", { date: "2027-03-01", to_date: "2027-04-05" })],
  ],
  ["how long until Easter", [math("days_between", { to_date: "2027-03-28" })]],
  ["how many weeks until new year's eve", [math("days_between", { to_date: "2026-12-31" })]],
  ["How many days since 1 January?", [math("days_between", { date: "2026-01-01", to_date: "2026-11-21" })]],
  ["what date is 3 weeks from today?", [math("add", { weeks: 3 })]],
  ["what date is 90 days after 1 March 2027", [math("add", { date: "2027-03-01", days: 90 })]],
  ["what day is 2 weeks before Christmas?", [math("subtract", { date: "2026-12-25", weeks: 2 })]],
  ["what was the date 10 days ago?", [math("subtract", { days: 10 })]],
  ["what will the date be in 45 days?", [math("add", { days: 45 })]],
  ["What time will it be in 90 minutes?", [math("add", { minutes: 90 })]],
  ["when is next Friday?", [math("next_weekday", { weekday: "Friday" })]],
  ["when is Easter?", [math("weekday", { date: "2027-03-28" })]],
  ["When is Christmas 2027?", [math("weekday", { date: "2027-12-25" })]],
  ["what day is tomorrow", [math("weekday", { date: "2026-11-22" })]],
  [
    "when it is 15:00 in Madrid, what time is it in New York?",
    [
      math("convert", {
        date: "2026-11-21T15:00",
        timezone: "Europe/Madrid",
        to_timezone: "America/New_York",
      }),
    ],
  ],
  [
    "what time is it in New York when it's 3pm in Madrid",
    [
      math("convert", {
        date: "2026-11-21T15:00",
        timezone: "Europe/Madrid",
        to_timezone: "America/New_York",
      }),
    ],
  ],
  [
    "convert 9:30 am from London to Tokyo time",
    [math("convert", { date: "2026-11-21T09:30", timezone: "Europe/London", to_timezone: "Asia/Tokyo" })],
  ],
  [
    "If it's 8 pm in Tokyo, what time is it here?",
    [math("convert", { date: "2026-11-21T20:00", timezone: "Asia/Tokyo", to_timezone: "Europe/Madrid" })],
  ],
  ["I'm going to Rome tomorrow. What's the weather like?", [weather("Rome")]],
  ["Hi! What's the weather in Rome?", [weather("Rome")]],
  ["What's the weather and the time in Tokyo?", [weather("Tokyo"), now("Asia/Tokyo")]],
  ["In Lisbon, what's the weather tomorrow?", [weather("Lisbon")]],
  ["How many days until the next holiday in Spain?", [holidays({ country: "ES", max_count: 1 })]],
  ["what's the weather in Rome tomorrow and in Milan on Sunday?", [weather("Rome"), weather("Milan")]],
  ["Will it snow in Oslo this week?", [weather("Oslo")]],
  ["How windy is it in Chicago?", [weather("Chicago")]],
  ["weather in Washington DC", [weather("Washington, D.C.")]],
  ["weather in San Francisco, CA on Monday", [weather("San Francisco, CA", 4)]],
  ["weather in St. Gallen", [weather("St. Gallen")]],
  ["weather in Girona and holidays there", [weather("Girona")]],
  ["What's the weather? I'm in Lisbon.", [weather("Lisbon")]],
  ["Weather in the UK?", [weather("United Kingdom")]],
  [
    "holidays in the united states in July",
    [holidays({ country: "US", after_date: "2027-07-01", before_date: "2027-07-31", max_count: 50 })],
  ],
  ["Hey Parley, weather in Oslo?", [weather("Oslo")]],
  ["weather in the hague", [weather("The Hague")]],
  ["weather for my trip to Rome", [weather("Rome")]],
  ["Is it raining in Manchester?", [weather("Manchester")]],
  ["give me the forecast for Sydney, Australia for the weekend", [weather("Sydney, Australia")]],
  ["weather sao paulo", [weather("Sao Paulo")]],
  ["weather in Zürich", [weather("Zürich")]],
  ["WHATS THE WEATHER IN NEW YORK CITY???", [weather("New York")]],
  ["what is the time difference between Paris and Tokyo", [now("Europe/Paris"), now("Asia/Tokyo")]],
  ["How's the weather in Bath?", [weather("Bath")]],
  ["what time is it in Spain", [now("Europe/Madrid")]],
  ["what time is it in California", [now("America/Los_Angeles")]],
  ["what's the time in India and China", [now("Asia/Kolkata"), now("Asia/Shanghai")]],
  [
    "holidays in France, Germany and Italy in May",
    [
      holidays({ country: "FR", after_date: "2027-05-01", before_date: "2027-05-31", max_count: 50 }),
      holidays({ country: "DE", after_date: "2027-05-01", before_date: "2027-05-31", max_count: 50 }),
      holidays({ country: "IT", after_date: "2027-05-01", before_date: "2027-05-31", max_count: 50 }),
    ],
  ],
  [
    "Is 1 May 2027 a holiday in Spain?",
    [holidays({ country: "ES", after_date: "2027-05-01", before_date: "2027-05-01" })],
  ],
  ["Is tomorrow a holiday?", [holidays({ after_date: "2026-11-22", before_date: "2026-11-22" })]],
  [
    "was 6 January 2026 a holiday in Italy?",
    [holidays({ country: "IT", after_date: "2026-01-06", before_date: "2026-01-06" })],
  ],
  [
    "holidays this year in Ireland",
    [holidays({ country: "IE", after_date: "2026-01-01", before_date: "2026-12-31", max_count: 50 })],
  ],
  [
    "public holidays left this year in Spain",
    [holidays({ country: "ES", after_date: "2026-11-21", before_date: "2026-12-31", max_count: 50 })],
  ],
  ["next two holidays in Austria", [holidays({ country: "AT", max_count: 2 })]],
  ["How many days are there until 1 June?", [math("days_between", { to_date: "2027-06-01" })]],
  [
    "how many days from today to 2027-01-01?",
    [math("days_between", { date: "2026-11-21", to_date: "2027-01-01" })],
  ],
  ["how far away is Christmas?", [math("days_between", { to_date: "2026-12-25" })]],
  ["countdown to Christmas", [math("days_between", { to_date: "2026-12-25" })]],
  ["what is 10 days before 2027-03-01", [math("subtract", { date: "2027-03-01", days: 10 })]],
  ["what date was 6 months ago", [math("subtract", { months: 6 })]],
  ["what day will it be in 100 days?", [math("add", { days: 100 })]],
  ["What's the weather on Monday, Tuesday and Wednesday in Bilbao?", [weather("Bilbao", 6)]],
  ["temperature in Reykjavik in 3 days", [weather("Reykjavík", 5)]],
  ["may I ask for the weather in Rome?", [weather("Rome")]],
  ["Show me the weather for Cambridge, MA tomorrow night.", [weather("Cambridge, MA")]],
  ["weather in Barcelona tomrrow", [weather("Barcelona")]],
  ["tokyo time", [now("Asia/Tokyo")]],
  ["Can you tell me the time in Dubai, please?", [now("Asia/Dubai")]],
  ["What is the date in Auckland?", [now("Pacific/Auckland")]],
  ['What\'s the weather in "Barcelona"?', [weather("Barcelona")]],
  ["weather in barcelona,madrid", [weather("Barcelona"), weather("Madrid")]],
  ["what are the holidays", [holidays()]],
  ["How will the weather be like over the next three days in Munich?", [weather("Munich", 3)]],
  ["Is it going to be sunny in Malaga the day after tomorrow?", [weather("Malaga", 4)]],
  ["When's the next public holiday?", [holidays({ max_count: 1 })]],
  [
    "how many days are there between christmas and easter",
    [math("days_between", { date: "2026-12-25", to_date: "2027-03-28" })],
  ],
  ["Which day of the week is 4 July 2027?", [math("weekday", { date: "2027-07-04" })]],
  ["what day is it in Tokyo?", [now("Asia/Tokyo")]],
  ["3 weeks from now", [math("add", { weeks: 3 })]],
  [
    "weather in Barcelona and time in Tokyo and days until Christmas",
    [weather("Barcelona"), now("Asia/Tokyo"), math("days_between", { to_date: "2026-12-25" })],
  ],
  ["Is it hot in Phoenix, AZ or Las Vegas?", [weather("Phoenix, AZ"), weather("Las Vegas")]],
  ["weather Granollers", [weather("Granollers")]],
  [
    "next holidays in Bavaria and Hesse",
    [holidays({ country: "DE", region: "BY" }), holidays({ country: "DE", region: "HE" })],
  ],
  ["weather in Rome, and write a poem", [weather("Rome")]],
  ["Write a poem and tell me the weather in Rome", [weather("Rome")]],
  ["tell me the weather in Rome and a joke", [weather("Rome")]],
  [
    "Will it rain in Barcelona tomorrow and is it a holiday there?",
    [
      weather("Barcelona"),
      holidays({ country: "ES", region: "CT", after_date: "2026-11-22", before_date: "2026-11-22" }),
    ],
  ],
  ["What's the weather in Barcelona today? And in Madrid?", [weather("Barcelona"), weather("Madrid")]],
  ["What time is it in Tokyo and what's the weather there tomorrow?", [now("Asia/Tokyo"), weather("Tokyo")]],
  [
    "is tomorrow a holiday in Barcelona and will it rain there?",
    [
      holidays({ country: "ES", region: "CT", after_date: "2026-11-22", before_date: "2026-11-22" }),
      weather("Barcelona"),
    ],
  ],
  ["weather for Lyon, France next Sunday", [weather("Lyon, France")]],
  ["Could you please tell me whether I need an umbrella in Dublin this evening?", [weather("Dublin")]],
  ["What are the next 5 holidays in New York?", [holidays({ country: "US", region: "NY", max_count: 5 })]],
  ["weather 10001", [weather("10001")]],
  ["weather in 90210", [weather("90210")]],
  ["weather in 東京", [weather("東京")]],
];

describe("one question", () => {
  test.each(QUESTIONS)("%s", async (text, calls) => {
    expect(wanted(callsOf(await ask({ messages: conversation([text]) })))).toEqual(calls);
  });

  test("months come first in the United States", async () => {
    const messages = conversation(["what weekday was 3/4/2024?"]);
    expect(wanted(callsOf(await ask({ messages, locale: "en-US" })))).toEqual([
      math("weekday", { date: "2024-03-04" }),
    ]);
    expect(wanted(callsOf(await ask({ messages, locale: "en-GB" })))).toEqual([
      math("weekday", { date: "2024-04-03" }),
    ]);
  });
});
