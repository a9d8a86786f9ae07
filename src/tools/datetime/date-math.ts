import { Temporal } from "temporal-polyfill";
import { ToolError } from "../../core/assistant/tool.ts";
import { type Resolved, resolveWallTime } from "./zone.ts";

/** A day, or a wall-clock time on a day. */
export type DateInput = Temporal.PlainDate | Temporal.PlainDateTime;

/** Throws a RangeError for what is no real date of the years 1 to 9999 in one of the two forms. */
export function parseDate(text: string): DateInput {
  const match = /^(?!0000)\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?$/.exec(text);
  if (match === null) throw new RangeError(`${text} is not a date`);
  return match[1] === undefined ? Temporal.PlainDate.from(text) : Temporal.PlainDateTime.from(text);
}

export function isDate(text: string): boolean {
  try {
    parseDate(text);
    return true;
  } catch {
    return false;
  }
}

export function dayOf(date: DateInput): Temporal.PlainDate {
  return date instanceof Temporal.PlainDateTime ? date.toPlainDate() : date;
}

/** Whole numbers, each 0 or more. */
export interface Amount {
  readonly years?: number | undefined;
  readonly months?: number | undefined;
  readonly weeks?: number | undefined;
  readonly days?: number | undefined;
  readonly hours?: number | undefined;
  readonly minutes?: number | undefined;
}

/** A day moved by calendar units; a day that the month does not have becomes its last (31 January + 1 month). */
export function moveDay(day: Temporal.PlainDate, sign: 1 | -1, amount: Amount): Temporal.PlainDate {
  return inRange(() => day.add(signed(sign, amount, ["years", "months", "weeks", "days"])));
}

/**
 * A time moved by calendar units on the wall clock, then by hours and minutes that really pass: the
 * order of RFC 5545 3.3.6 and of Temporal. Days keep the time of day over a change of clocks.
 */
export function moveTime(start: Resolved, sign: 1 | -1, amount: Amount): Resolved {
  return inRange(() => {
    const calendar = signed(sign, amount, ["years", "months", "weeks", "days"]);
    const landed = calendar.blank
      ? start
      : resolveWallTime(start.moment.toPlainDateTime().add(calendar), start.moment.timeZoneId);
    const moment = landed.moment.add(signed(sign, amount, ["hours", "minutes"]));
    const notes = new Set([start.note, landed.note].filter((note) => note !== undefined));
    return { moment, note: notes.size > 0 ? [...notes].join(" ") : undefined };
  });
}

/** The same moment on the clocks of another zone. */
export function inZone({ moment, note }: Resolved, timezone: string): Resolved {
  return inRange(() => ({ moment: moment.withTimeZone(timezone), note }));
}

function signed(sign: 1 | -1, amount: Amount, units: readonly (keyof Amount)[]): Temporal.Duration {
  const fields = Object.fromEntries(units.map((unit) => [unit, sign * (amount[unit] ?? 0)]));
  return Temporal.Duration.from(fields);
}

const OUT_OF_RANGE = "The result is not in the years 1 to 9999.";

/** Temporal itself reaches further, but ISO dates of four digits end here. */
function inRange<T extends Temporal.PlainDate | Resolved>(move: () => T): T {
  let result: T;
  try {
    result = move();
  } catch (cause) {
    throw new ToolError(OUT_OF_RANGE, { cause });
  }
  const { year } = "moment" in result ? result.moment : result;
  if (year < 1 || year > 9999) throw new ToolError(OUT_OF_RANGE);
  return result;
}

/** Signed: negative when `to` is the earlier. */
export function daysBetween(from: Temporal.PlainDate, to: Temporal.PlainDate): number {
  return from.until(to, { largestUnit: "days" }).days;
}

/** In the order of ISO 8601. */
export const WEEKDAYS = [
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
  "Sunday",
] as const;

export type Weekday = (typeof WEEKDAYS)[number];

export function weekdayOf({ dayOfWeek }: { dayOfWeek: number }): Weekday {
  return WEEKDAYS[dayOfWeek - 1] ?? "Monday";
}

/** Strictly after `day`. */
export function nextWeekday(day: Temporal.PlainDate, weekday: Weekday): Temporal.PlainDate {
  const ahead = WEEKDAYS.indexOf(weekday) + 1 - day.dayOfWeek;
  return moveDay(day, 1, { days: ahead > 0 ? ahead : ahead + 7 });
}
