import { Temporal } from "temporal-polyfill";

/** A calendar date as `YYYY-MM-DD`; such dates sort as text. */
export type IsoDate = string;

/** Both ends belong to it. */
export interface DateRange {
  readonly from: IsoDate;
  readonly to: IsoDate;
}

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

export type CalendarUnit = "days" | "weeks" | "months" | "years";

/** The date, or undefined when the calendar has no such day (30 February) or the text is no date. */
export function isoDate(year: number, month: number, day: number): IsoDate | undefined {
  try {
    return Temporal.PlainDate.from({ year, month, day }, { overflow: "reject" }).toString();
  } catch {
    return undefined;
  }
}

export function isIsoDate(text: string): boolean {
  const [year, month, day] = text.split("-").map(Number);
  return /^\d{4}-\d\d-\d\d$/.test(text) && isoDate(Number(year), Number(month), Number(day)) === text;
}

/** Month ends are kept: one month after 31 January is the last day of February. */
export function plus(date: IsoDate, amount: number, unit: CalendarUnit): IsoDate {
  return Temporal.PlainDate.from(date)
    .add({ [unit]: amount })
    .toString();
}

/** From `from` to `to`; negative when `to` is earlier. */
export function daysBetween(from: IsoDate, to: IsoDate): number {
  return Temporal.PlainDate.from(from).until(to, { largestUnit: "day" }).days;
}

/** 0 is Monday, as in {@link WEEKDAYS}. */
export function weekdayIndex(date: IsoDate): number {
  return Temporal.PlainDate.from(date).dayOfWeek - 1;
}

export function weekOf(date: IsoDate): DateRange {
  const from = plus(date, -weekdayIndex(date), "days");
  return { from, to: plus(from, 6, "days") };
}

export function monthOf(date: IsoDate): DateRange {
  const from = `${date.slice(0, 8)}01`;
  return { from, to: plus(plus(from, 1, "months"), -1, "days") };
}

export function yearOf(date: IsoDate): DateRange {
  const year = date.slice(0, 4);
  return { from: `${year}-01-01`, to: `${year}-12-31` };
}

/** Easter Sunday of the Gregorian calendar, by the algorithm of Meeus, Jones and Butcher. */
export function easter(year: number): IsoDate {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const d = (19 * a + b - Math.floor(b / 4) - Math.floor((b - Math.floor((b + 8) / 25) + 1) / 3) + 15) % 30;
  const e = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - d - (c % 4)) % 7;
  const f = d + e - 7 * Math.floor((a + 11 * d + 22 * e) / 451) + 114;
  return new Temporal.PlainDate(year, Math.floor(f / 31), (f % 31) + 1).toString();
}
