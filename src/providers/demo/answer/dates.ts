import type { z } from "zod";
import type {
  ConvertIntent,
  DaysBetweenIntent,
  NextWeekdayIntent,
  NowIntent,
  ShiftIntent,
  WeekdayIntent,
} from "../intent.ts";
import { callsFor } from "../plan.ts";
import { convertResult, datetimeResult, daysBetweenResult, shiftResult, weekdayResult } from "../results.ts";
import { outcomeOf, type Scene } from "./scene.ts";
import { capitalised, couldNot, inPlace, plural, type Words } from "./words.ts";

export type DateIntent =
  | NowIntent
  | WeekdayIntent
  | NextWeekdayIntent
  | DaysBetweenIntent
  | ShiftIntent
  | ConvertIntent;

/** Puts the result of the intent's one call into words, or says why there is none. */
function say<T>(intent: DateIntent, schema: z.ZodType<T>, scene: Scene, put: (result: T) => string): string {
  const [call] = callsFor(intent, scene.conversation);
  if (call === undefined) return unknownZone(intent);
  const outcome = outcomeOf(call, schema, scene);
  return "result" in outcome ? put(outcome.result) : couldNot("work that out", outcome.problem);
}

function unknownZone(intent: DateIntent): string {
  const places =
    intent.kind === "convert" ? [intent.from, intent.to] : intent.kind === "now" ? [intent.place] : [];
  const name =
    places.find((place) => place !== undefined && place.timezone === undefined)?.name ?? "that place";
  return `I don't know the time zone of ${name}. Name a bigger city near it, or its country.`;
}

function hasDigits(text: string): boolean {
  return /\d/.test(text);
}

function weekday({ words: named, date }: WeekdayIntent, scene: Scene, result: { date: string }): string {
  const { words } = scene;
  const verb = date < scene.conversation.today ? "was" : "is";
  return hasDigits(named)
    ? `${words.plainDate(result.date)} ${verb} a ${words.weekday(result.date)}.`
    : `${capitalised(named)} ${verb} ${words.date(result.date)}.`;
}

function endName(named: string, date: string, words: Words): string {
  return hasDigits(named) ? words.plainDate(date) : `${named} (${words.date(date)})`;
}

function daysBetween(
  intent: DaysBetweenIntent,
  result: { days: number; weeks?: number },
  words: Words,
): string {
  const { from, fromWords, to, toWords, unit } = intent;
  const days = Math.abs(result.days);
  const inWeeks = unit === "weeks" && result.weeks !== undefined && Number.isInteger(result.weeks);
  const count =
    inWeeks && result.weeks !== undefined
      ? `${plural(days, "day", words)} (${plural(Math.abs(result.weeks), "full week", words)})`
      : plural(days, "day", words);
  const verb = days === 1 ? "is" : "are";
  const end = endName(toWords, to, words);
  if (from !== undefined && fromWords !== undefined) {
    const start = endName(fromWords, from, words);
    return toWords === "today"
      ? `It is ${count} since ${start}.`
      : `There ${verb} ${count} between ${start} and ${end}.`;
  }
  if (days === 0) return `${capitalised(end)} is today.`;
  return result.days < 0 ? `${capitalised(end)} was ${count} ago.` : `There ${verb} ${count} until ${end}.`;
}

function shift({ words: named }: ShiftIntent, result: string, words: Words): string {
  const date = words.date(result.slice(0, 10));
  const time = result.slice(11, 16);
  const moment = time === "" ? date : `${words.time(time)} on ${date}`;
  const verb = /^in /i.test(named) ? "it will be" : /\b(?:ago|earlier)$/i.test(named) ? "it was" : "is";
  return `${capitalised(named)} ${verb} ${moment}.`;
}

function aside(note: string | undefined): string {
  return note === undefined ? "" : ` (${note})`;
}

export function answerDate(intent: DateIntent, scene: Scene): string {
  const { words } = scene;
  switch (intent.kind) {
    case "now":
      return say(intent, datetimeResult, scene, ({ date, time, timezone, utc_offset }) => {
        const place = intent.place === undefined ? "" : ` ${inPlace(intent.place.name)}`;
        if (intent.ask === "date") return `Today${place} is ${words.date(date)}.`;
        return `It is ${words.time(time.slice(0, 5))}${place} on ${words.date(date)} (${timezone}, UTC${utc_offset}).`;
      });
    case "weekday":
      return say(intent, weekdayResult, scene, (result) => weekday(intent, scene, result));
    case "next_weekday":
      return say(
        intent,
        weekdayResult,
        scene,
        ({ date }) => `The next ${intent.weekday} is ${words.plainDate(date)}.`,
      );
    case "days_between":
      return say(intent, daysBetweenResult, scene, (result) => daysBetween(intent, result, words));
    case "shift":
      return say(
        intent,
        shiftResult,
        scene,
        ({ result, note }) => shift(intent, result, words) + aside(note),
      );
    case "convert":
      return say(intent, convertResult, scene, ({ datetime, note }) => {
        const time = words.time(intent.datetime.slice(11));
        const target = `${words.time(datetime.slice(11, 16))} on ${words.date(datetime.slice(0, 10))}`;
        const [from, to] = [intent.from, intent.to].map((place) =>
          place === undefined ? "where you are" : inPlace(place.name),
        );
        return `When it is ${time} ${from}, it is ${target} ${to}.${aside(note)}`;
      });
  }
}
