import type { HolidaysIntent } from "../intent.ts";
import { countdownCall, holidaysCall } from "../plan.ts";
import { daysBetweenResult, type HolidaysResult, holidaysResult } from "../results.ts";
import { outcomeOf, type Scene } from "./scene.ts";
import { couldNot, inPlace, plural, type Words } from "./words.ts";

type Holiday = HolidaysResult["holidays"][number];

function where({ place }: HolidaysResult): string {
  const names = [place.region_name ?? place.region, place.country_name ?? place.country].filter(
    (name) => name,
  );
  if (names.length > 0) return ` ${inPlace(names.join(", "))}`;
  return place.calendar === undefined ? "" : ` in the calendar “${place.calendar}”`;
}

/** Public holidays are what was asked for; of any other kind the reader should know. */
function nameOf({ name, type }: Holiday): string {
  return type === undefined || type === "public" ? name : `${name} (${type})`;
}

function dateOf({ date, end_date }: Holiday, words: Words): string {
  return end_date === undefined || end_date === date
    ? words.date(date)
    : `${words.date(date)} to ${words.date(end_date)}`;
}

function isHolidayAnswer(result: HolidaysResult, words: Words): string {
  const { holidays, after_date } = result;
  const day = words.date(after_date);
  if (holidays.length === 0) return `No, ${day} is not a holiday${where(result)}.`;
  return `Yes, ${day} is a holiday${where(result)}: ${words.list(holidays.map(nameOf))}.`;
}

function listAnswer(intent: HolidaysIntent, result: HolidaysResult, words: Words): string {
  const span = `between ${words.plainDate(result.after_date)} and ${words.plainDate(result.before_date)}`;
  if (result.holidays.length === 0) return `I find no holidays${where(result)} ${span}.`;
  const [only, ...others] = result.holidays;
  if (intent.count === 1 && only !== undefined && others.length === 0) {
    return `The next holiday${where(result)} is ${nameOf(only)}, on ${dateOf(only, words)}.`;
  }
  const heading =
    intent.range === undefined ? `The next holidays${where(result)}:` : `Holidays${where(result)} ${span}:`;
  const lines = result.holidays.map((holiday) => `- ${dateOf(holiday, words)}: ${nameOf(holiday)}`);
  const more = result.more ? ["", `There are more until ${words.plainDate(result.before_date)}.`] : [];
  return [heading, ...lines, ...more].join("\n");
}

function countdown(call: Parameters<typeof countdownCall>[0], scene: Scene): string {
  const second = countdownCall(call, scene.conversation.calls);
  const outcome = second && outcomeOf(second, daysBetweenResult, scene);
  if (outcome === undefined) return "";
  if ("problem" in outcome) return ` ${couldNot("count the days", outcome.problem)}`;
  const { days } = outcome.result;
  return days === 0 ? " That is today." : ` That is in ${plural(days, "day", scene.words)}.`;
}

export function answerHolidays(intent: HolidaysIntent, scene: Scene): string {
  const { words, conversation } = scene;
  const call = holidaysCall(intent, conversation.allCalls);
  if (call === undefined) {
    const name = intent.place?.name ?? "";
    return `I don't know which country ${name} is in, so I can't look up its holidays. Name the country too, as in “holidays in ${name}, Spain”.`;
  }
  const outcome = outcomeOf(call, holidaysResult, scene);
  if ("problem" in outcome) {
    const place = intent.place === undefined ? "" : ` for ${intent.place.name}`;
    return couldNot(`look up the holidays${place}`, outcome.problem);
  }
  if (intent.isHoliday === true) return isHolidayAnswer(outcome.result, words);
  return (
    listAnswer(intent, outcome.result, words) + (intent.countdown === true ? countdown(call, scene) : "")
  );
}
