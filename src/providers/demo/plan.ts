import { type DateRange, daysBetween, type IsoDate } from "./calendar.ts";
import { argumentsOf, type Conversation, type DoneCall } from "./conversation.ts";
import type { Days, HolidaysIntent, Task, WeatherIntent } from "./intent.ts";
import { type Place, placeKey, regionCode } from "./places.ts";
import { holidaysResult, type Outcome, parseResult, type WeatherResult, weatherResult } from "./results.ts";

/** A tool call to make; undefined arguments are left out. */
export interface Call {
  readonly name: "get_weather" | "get_holidays" | "get_datetime" | "date_math";
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** The forecast reaches today and the six days behind it. */
export const FORECAST_DAYS = 7;
/** What get_weather gives when no number of days is asked for. */
const DEFAULT_DAYS = 3;

/** The same arguments in any order: a store may have written them anew. */
function canonical(args: unknown): string {
  return JSON.stringify(Object.entries(args ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sameCall(call: Call, done: DoneCall): boolean {
  return call.name === done.name && canonical(call.arguments) === canonical(argumentsOf(done));
}

export function doneCall(call: Call, calls: readonly DoneCall[]): DoneCall | undefined {
  return calls.find((done) => sameCall(call, done));
}

/** Whether a forecast made today has some of these days. */
export function inForecast({ from, to }: DateRange, today: IsoDate): boolean {
  return to >= today && daysBetween(today, from) < FORECAST_DAYS;
}

function forecastDays(days: readonly Days[], today: IsoDate): number | undefined {
  const counts = days
    .filter((range) => inForecast(range, today))
    .map(
      ({ to, counted }) =>
        // One day to spare: where the place is still in yesterday, its forecast begins a day earlier.
        counted ?? daysBetween(today, to) + 2,
    );
  const most = Math.min(Math.max(0, ...counts), FORECAST_DAYS);
  return most > DEFAULT_DAYS || days.some(({ counted }) => counted !== undefined) ? most : undefined;
}

/** Undefined when the question has no place, or lies outside of any forecast. */
export function weatherCall({ place, days }: WeatherIntent, today: IsoDate): Call | undefined {
  if (place === undefined) return undefined;
  if (days.length > 0 && !days.some((range) => inForecast(range, today))) return undefined;
  const count = forecastDays(days, today);
  return {
    name: "get_weather",
    arguments: { location: place.name, ...(count === undefined ? {} : { days: count }) },
  };
}

/** What the weather service said of a place that the gazetteer lacks, earlier in the conversation. */
function weatherLocation(place: Place, calls: readonly DoneCall[]): WeatherResult["location"] | undefined {
  for (const call of calls) {
    if (call.name !== "get_weather" || call.isError) continue;
    const outcome: Outcome<WeatherResult> = parseResult(weatherResult, call.content);
    if (!("result" in outcome)) continue;
    const asked = placeKey(call.arguments).includes(placeKey(place.name));
    if (asked) return outcome.result.location;
  }
  return undefined;
}

/** A place with what earlier results tell of it. */
function located(place: Place, calls: readonly DoneCall[]): Place {
  if (place.kind !== "unknown" || place.country !== undefined) return place;
  const location = weatherLocation(place, calls);
  const country = location?.country_code?.toUpperCase();
  if (location === undefined || country === undefined) return place;
  const region = location.region === undefined ? undefined : regionCode(country, location.region);
  return { ...place, country, region, timezone: location.timezone };
}

/** A range holds at most a year's holidays; the tool's own default of 10 would cut them. */
const ALL_OF_A_RANGE = 50;

/** Undefined when the country of the place is not known. */
export function holidaysCall(intent: HolidaysIntent, calls: readonly DoneCall[]): Call | undefined {
  const place = intent.place && located(intent.place, calls);
  if (place !== undefined && place.country === undefined) return undefined;
  const { from, to } = intent.range ?? {};
  const count =
    intent.count ?? (intent.range !== undefined && intent.isHoliday !== true ? ALL_OF_A_RANGE : undefined);
  return {
    name: "get_holidays",
    arguments: {
      ...(place?.country === undefined ? {} : { country: place.country }),
      ...(place?.region === undefined ? {} : { region: place.region }),
      ...(from === undefined ? {} : { after_date: from }),
      ...(to === undefined ? {} : { before_date: to }),
      ...(count === undefined ? {} : { max_count: Math.min(count, ALL_OF_A_RANGE) }),
    },
  };
}

function dateMath(args: Record<string, unknown>): Call {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  return { name: "date_math", arguments: Object.fromEntries(given) };
}

/** How long it is until the holiday that a first call has found. */
export function countdownCall(holidays: Call, calls: readonly DoneCall[]): Call | undefined {
  const done = doneCall(holidays, calls);
  if (done === undefined || done.isError) return undefined;
  const outcome = parseResult(holidaysResult, done.content);
  const next = "result" in outcome ? outcome.result.holidays[0]?.date : undefined;
  return next === undefined ? undefined : dateMath({ operation: "days_between", to_date: next });
}

/** The calls that a task needs, as far as earlier results allow to say; calls already made are among them. */
export function callsFor(
  task: Task,
  conversation: Conversation & { readonly today: IsoDate },
): readonly Call[] {
  const { today, allCalls, calls, timezone } = conversation;
  const some = (...wanted: readonly (Call | undefined)[]) => wanted.filter((call) => call !== undefined);
  switch (task.kind) {
    case "weather":
      return some(weatherCall(task, today));
    case "holidays": {
      const first = holidaysCall(task, allCalls);
      return some(first, first && task.countdown === true ? countdownCall(first, calls) : undefined);
    }
    case "now": {
      const place = task.place && located(task.place, allCalls);
      if (place !== undefined && place.timezone === undefined) return [];
      return [{ name: "get_datetime", arguments: place === undefined ? {} : { timezone: place.timezone } }];
    }
    case "weekday":
      return [dateMath({ operation: "weekday", date: task.date })];
    case "next_weekday":
      return [dateMath({ operation: "next_weekday", weekday: task.weekday })];
    case "days_between":
      return [dateMath({ operation: "days_between", date: task.from, to_date: task.to })];
    case "shift":
      return [dateMath({ operation: task.operation, date: task.date, ...task.amount })];
    case "convert": {
      const [from, to] = [task.from, task.to].map((place) => place && located(place, allCalls));
      if ((from && from.timezone === undefined) || (to && to.timezone === undefined)) return [];
      return [
        dateMath({
          operation: "convert",
          date: task.datetime,
          timezone: from?.timezone ?? timezone,
          to_timezone: to?.timezone ?? timezone,
        }),
      ];
    }
  }
}
