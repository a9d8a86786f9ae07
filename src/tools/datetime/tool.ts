import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import { defineTool, type Tool, type ToolContext, ToolError } from "../../core/assistant/tool.ts";
import {
  type DateInput,
  dayOf,
  daysBetween,
  inZone,
  isDate,
  moveDay,
  moveTime,
  nextWeekday,
  parseDate,
  WEEKDAYS,
  weekdayOf,
} from "./date-math.ts";
import { offsetAt, type Resolved, resolveWallTime, zoneNamed } from "./zone.ts";

const zone = z
  .string({ error: "must be an IANA time zone name, such as 'Europe/Madrid'" })
  .trim()
  .min(1, "must be an IANA time zone name, such as 'Europe/Madrid'")
  .max(60, "must be an IANA time zone name, such as 'Europe/Madrid'");

/** `get_datetime`: now, in any IANA time zone. */
export function datetimeTool(): Tool {
  return defineTool({
    name: "get_datetime",
    description: "The current date, time, weekday and UTC offset in a time zone (the user's when left out).",
    schema: z.strictObject({
      timezone: zone.optional().describe("IANA name such as 'Europe/Madrid'; the user's when left out"),
    }),
    readOnly: true,
    timeoutMs: 1_000,
    async execute({ timezone }, context) {
      const zoneId = zoneNamed(timezone ?? context.timezone);
      const { ms, text: offset } = offsetAt(zoneId, context.now);
      // A time that has in UTC the date and the hour that clocks there show.
      const shown = new Date(context.now + ms);
      const datetime = shown.toISOString().slice(0, 19);
      return {
        timezone: zoneId,
        datetime: datetime + offset,
        date: datetime.slice(0, 10),
        time: datetime.slice(11, 16),
        // A Sunday is 0 there, and 7 in ISO 8601.
        weekday: weekdayOf({ dayOfWeek: shown.getUTCDay() || 7 }),
        utc_offset: offset,
      };
    },
  });
}

const date = z.string({ error: "must be a date as YYYY-MM-DD or YYYY-MM-DDTHH:MM" }).refine(isDate, {
  error:
    "must be a real date as YYYY-MM-DD, or with a time as YYYY-MM-DDTHH:MM; the time zone goes into timezone",
});

const amount = z
  .int({ error: "must be a whole number" })
  .min(0, "must be 0 or more; use operation 'subtract' to go back")
  .optional();

const mathSchema = z.strictObject({
  operation: z
    .enum(["add", "subtract", "days_between", "weekday", "next_weekday", "convert"])
    .describe(
      "add, subtract: date moved by years, months, weeks, days, hours, minutes. days_between: from date to " +
        "to_date. weekday: of date. next_weekday: the first such weekday after date. convert: date with a time " +
        "from timezone to to_timezone.",
    ),
  date: date
    .optional()
    .describe("YYYY-MM-DD, or YYYY-MM-DDTHH:MM as the clock in timezone shows it; now when left out"),
  to_date: date.optional().describe("For days_between: the day to count to"),
  years: amount.describe("For add and subtract"),
  months: amount.describe("For add and subtract"),
  weeks: amount.describe("For add and subtract"),
  days: amount.describe("For add and subtract"),
  hours: amount.describe("For add and subtract"),
  minutes: amount.describe("For add and subtract"),
  weekday: z.enum(WEEKDAYS).optional().describe("For next_weekday"),
  timezone: zone.optional().describe("IANA name; the user's when left out"),
  to_timezone: zone.optional().describe("For convert: IANA name of the zone to convert to"),
});

const UNITS = ["years", "months", "weeks", "days", "hours", "minutes"] as const;

type MathInput = z.output<typeof mathSchema>;

/** `date_math`: what a language model should not do in its head. */
export function dateMathTool(): Tool {
  return defineTool({
    name: "date_math",
    description:
      "Calculates with dates: add or subtract time, days between two dates, the weekday of a date, the next " +
      "given weekday, conversion between time zones. Dates left out are today, or now, for the user.",
    schema: mathSchema,
    readOnly: true,
    timeoutMs: 1_000,
    async execute(input, context) {
      const timezone = zoneNamed(input.timezone ?? context.timezone);
      const now = nowIn(timezone, context);
      const given = input.date === undefined ? undefined : parseDate(input.date);
      const day = given === undefined ? now.toPlainDate() : dayOf(given);
      switch (input.operation) {
        case "add":
          return moved(1, input, given, now);
        case "subtract":
          return moved(-1, input, given, now);
        case "days_between": {
          const to = needed(input.to_date, "to_date", "the day to count to");
          return between(day, dayOf(parseDate(to)));
        }
        case "weekday":
          return dayResult("date", day);
        case "next_weekday":
          return dayResult("date", nextWeekday(day, needed(input.weekday, "weekday", "such as 'Friday'")));
        case "convert": {
          if (given instanceof Temporal.PlainDate) {
            throw new ToolError("date needs a time for convert: YYYY-MM-DDTHH:MM.");
          }
          const target = zoneNamed(needed(input.to_timezone, "to_timezone", "such as 'Asia/Tokyo'"));
          return timeResult("datetime", inZone(timeOf(given, now), target));
        }
      }
    },
  });
}

function moved(sign: 1 | -1, input: MathInput, given: DateInput | undefined, now: Temporal.ZonedDateTime) {
  if (UNITS.every((unit) => input[unit] === undefined)) {
    throw new ToolError(`Say how much to ${input.operation}: give one or more of ${UNITS.join(", ")}.`);
  }
  const isTimed =
    given instanceof Temporal.PlainDateTime || input.hours !== undefined || input.minutes !== undefined;
  if (isTimed) return timeResult("result", moveTime(timeOf(given, now), sign, input));
  return dayResult("result", moveDay(given ?? now.toPlainDate(), sign, input));
}

function between(from: Temporal.PlainDate, to: Temporal.PlainDate) {
  const days = daysBetween(from, to);
  return {
    date: from.toString(),
    to_date: to.toString(),
    days,
    weeks: Math.trunc(days / 7),
    remaining_days: days % 7,
  };
}

/** A day without a time is its first moment; nothing given is now. */
function timeOf(given: DateInput | undefined, now: Temporal.ZonedDateTime): Resolved {
  if (given === undefined) return { moment: now };
  const time = given instanceof Temporal.PlainDate ? given.toPlainDateTime() : given;
  return resolveWallTime(time, now.timeZoneId);
}

function dayResult(key: "result" | "date", day: Temporal.PlainDate) {
  return { [key]: day.toString(), weekday: weekdayOf(day) };
}

function timeResult(key: "result" | "datetime", { moment, note }: Resolved) {
  return {
    [key]: isoWithOffset(moment),
    timezone: moment.timeZoneId,
    weekday: weekdayOf(moment),
    ...(note !== undefined && { note }),
  };
}

function needed<T>(value: T | undefined, field: string, what: string): T {
  if (value === undefined) throw new ToolError(`${field} is needed for this operation: ${what}.`);
  return value;
}

function nowIn(timezone: string, { now }: ToolContext): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timezone);
}

function isoWithOffset(moment: Temporal.ZonedDateTime): string {
  return moment.toString({ timeZoneName: "never", smallestUnit: "second" });
}
