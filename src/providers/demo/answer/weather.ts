import { plus } from "../calendar.ts";
import type { WeatherIntent } from "../intent.ts";
import { FORECAST_DAYS, inForecast, weatherCall } from "../plan.ts";
import { type WeatherResult, weatherResult } from "../results.ts";
import { outcomeOf, type Scene } from "./scene.ts";
import { couldNot, type Words, withoutStop } from "./words.ts";

type ForecastDay = WeatherResult["forecast"][number];

const RAIN = /rain|drizzle|shower|thunder/i;
const SNOW = /snow|sleet|blizzard/i;

function temperature(value: number, { units }: WeatherResult, words: Words): string {
  return `${words.number(value)} ${units.temperature}`;
}

function placeName({ location: { name, region, country } }: WeatherResult): string {
  return [...new Set([name, region, country])].filter((part) => part).join(", ");
}

/** Conditions are sentences of their own to some services, words to others. */
function condition(text: string): string {
  return withoutStop(text).toLowerCase();
}

function precipitation(day: ForecastDay, { units }: WeatherResult, words: Words): string {
  const what = SNOW.test(day.condition) ? "snow" : "rain";
  const amount =
    day.precipitation > 0 ? `${words.number(day.precipitation)} ${units.precipitation}` : undefined;
  const chance = day.precipitation_chance_percent;
  if (chance === undefined) return amount === undefined ? `no ${what}` : `${amount} of ${what}`;
  return `${words.percent(chance)} chance of ${what}${amount === undefined ? "" : ` (${amount})`}`;
}

function outlook(day: ForecastDay, weather: WeatherResult, words: Words): string {
  const range = `${words.number(day.temperature_min)} to ${temperature(day.temperature_max, weather, words)}`;
  return `${condition(day.condition)}, ${range}, ${precipitation(day, weather, words)}`;
}

function now(weather: WeatherResult, words: Words): string {
  const { current, units } = weather;
  return [
    `It is ${temperature(current.temperature, weather, words)} in ${placeName(weather)} right now: ${condition(current.condition)}`,
    `feels like ${temperature(current.feels_like, weather, words)}`,
    `humidity ${words.percent(current.humidity_percent)}`,
    `wind ${words.number(current.wind_speed)} ${units.wind_speed}.`,
  ].join(", ");
}

/** Rain is likely from even chances on, possible from one in four; without a chance, by its amount. */
function rainVerdict(day: ForecastDay): "likely" | "possible" | "unlikely" {
  const chance = day.precipitation_chance_percent ?? (day.precipitation > 0 ? 100 : 0);
  return chance >= 50 ? "likely" : chance >= 25 ? "possible" : "unlikely";
}

const RAIN_ANSWERS = {
  likely: ["Yes, rain is likely", "Take an umbrella."],
  possible: ["Perhaps: rain is possible", "An umbrella would not hurt."],
  unlikely: ["No, rain is unlikely", "You can leave the umbrella at home."],
} as const;

function rainAnswer(day: ForecastDay, weather: WeatherResult, words: Words): string {
  if (SNOW.test(day.condition) && !RAIN.test(day.condition)) {
    return `Snow rather than rain in ${placeName(weather)} on ${words.day(day.date)}: ${outlook(day, weather, words)}.`;
  }
  const [verdict, advice] = RAIN_ANSWERS[rainVerdict(day)];
  return `${verdict} in ${placeName(weather)} on ${words.day(day.date)}: ${outlook(day, weather, words)}. ${advice}`;
}

function snowAnswer(day: ForecastDay, weather: WeatherResult, words: Words): string {
  const verdict = SNOW.test(day.condition) ? "Yes, snow is forecast" : "No snow is forecast";
  return `${verdict} in ${placeName(weather)} on ${words.day(day.date)}: ${outlook(day, weather, words)}.`;
}

function windAnswer(weather: WeatherResult, words: Words): string {
  const { current, units } = weather;
  const wind = `${words.number(current.wind_speed)} ${units.wind_speed}`;
  return `The wind in ${placeName(weather)} is at ${wind} right now (${condition(current.condition)}, ${temperature(current.temperature, weather, words)}).`;
}

/** The entries that a question is about; a counted one begins with the place's own today. */
function entriesFor({ days }: WeatherIntent, { forecast }: WeatherResult): readonly ForecastDay[] {
  return forecast.filter(({ date }, index) =>
    days.some(({ from, to, counted }) =>
      counted === undefined ? date >= from && date <= to : index < counted,
    ),
  );
}

function todayAnswer({ aspect }: WeatherIntent, weather: WeatherResult, words: Words): string {
  const [today] = weather.forecast;
  if (aspect === "wind") return windAnswer(weather, words);
  if (today === undefined) return now(weather, words);
  const current = `Right now: ${condition(weather.current.condition)}, ${temperature(weather.current.temperature, weather, words)}.`;
  if (aspect === "rain") return `${rainAnswer(today, weather, words)} ${current}`;
  if (aspect === "snow") return `${snowAnswer(today, weather, words)} ${current}`;
  return `${now(weather, words)} Today, ${words.day(today.date)}: ${outlook(today, weather, words)}.`;
}

function daysAnswer(intent: WeatherIntent, weather: WeatherResult, scene: Scene): string {
  const { words } = scene;
  const entries = entriesFor(intent, weather);
  const [first, ...others] = entries;
  const lastKnown = weather.forecast.at(-1)?.date ?? "";
  const cut = intent.days.some(({ to, counted }) =>
    counted === undefined ? to > lastKnown : counted > weather.forecast.length,
  );
  const end = cut && lastKnown !== "" ? `The forecast ends on ${words.day(lastKnown)}.` : "";
  if (first === undefined)
    return `There is no forecast for those days in ${placeName(weather)}. ${end}`.trim();
  const wind = intent.aspect === "wind" ? "The forecast does not tell the wind." : "";
  const answerDay = { rain: rainAnswer, snow: snowAnswer, wind: undefined, general: undefined }[
    intent.aspect
  ];
  if (others.length === 0) {
    const text =
      answerDay?.(first, weather, words) ??
      `${placeName(weather)} on ${words.day(first.date)}: ${outlook(first, weather, words)}.`;
    return [text, wind, end].filter((part) => part !== "").join(" ");
  }
  const lines = entries.map((day) => `- ${words.day(day.date)}: ${outlook(day, weather, words)}`);
  const wet = entries.filter((day) => rainVerdict(day) === "likely");
  const summary =
    intent.aspect !== "rain"
      ? `The forecast for ${placeName(weather)}:`
      : wet.length === 0
        ? `No day with likely rain in ${placeName(weather)}:`
        : `Rain is likely in ${placeName(weather)} on ${words.list(wet.map(({ date }) => words.day(date)))}:`;
  const notes = [wind, end].filter((part) => part !== "");
  return [[summary, ...lines].join("\n"), ...notes].join("\n\n");
}

export function answerWeather(intent: WeatherIntent, scene: Scene): string {
  const { words } = scene;
  const { today } = scene.conversation;
  const { place, days } = intent;
  if (place === undefined) return "Which place do you mean? Ask, for example, “weather in Barcelona”.";
  const call = weatherCall(intent, today);
  if (call === undefined) {
    return `I can see the weather of ${place.name} only from today to ${words.day(plus(today, FORECAST_DAYS - 1, "days"))}.`;
  }
  const outcome = outcomeOf(call, weatherResult, scene);
  if ("problem" in outcome) return couldNot(`get the weather for ${place.name}`, outcome.problem);
  const weather = outcome.result;
  const past = days.some((range) => !inForecast(range, today) && range.to < today);
  const note = past ? " I can't look into the past." : "";
  const text = days.length === 0 ? todayAnswer(intent, weather, words) : daysAnswer(intent, weather, scene);
  return `${text}${note}`;
}

/** Which of the places compared is the warmest or coldest, as far as their weather is known. */
export function compareWeather(intents: readonly WeatherIntent[], scene: Scene): string | undefined {
  const { words, conversation } = scene;
  const known = intents.flatMap((intent) => {
    const call = weatherCall(intent, conversation.today);
    const outcome = call && outcomeOf(call, weatherResult, scene);
    if (outcome === undefined || !("result" in outcome)) return [];
    const { result } = outcome;
    const entries = entriesFor(intent, result);
    if (intent.days.length > 0 && entries.length === 0) return [];
    const value =
      intent.days.length === 0
        ? result.current.temperature
        : Math.max(...entries.map((day) => day.temperature_max));
    return [{ name: result.location.name, value, text: temperature(value, result, words) }];
  });
  const compare = intents[0]?.compare;
  const [first, ...others] = known.sort((a, b) =>
    compare === "colder" ? a.value - b.value : b.value - a.value,
  );
  const [second] = others;
  if (compare === undefined || first === undefined || second === undefined) return undefined;
  if (first.value === second.value)
    return `${first.name} and ${second.name} are equally warm: ${first.text}.`;
  return `${first.name} is ${compare}: ${first.text} against ${words.list(others.map(({ name, text }) => `${text} in ${name}`))}.`;
}
