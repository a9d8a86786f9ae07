import type { DateRange, IsoDate, Weekday } from "./calendar.ts";
import type { OpenRange } from "./dates.ts";
import type { Place } from "./places.ts";

/** Days that a weather question is about. */
export interface Days extends DateRange {
  /** So many days from the place's own today on, whatever date it is there. */
  readonly counted?: number;
}

export type Aspect = "general" | "rain" | "snow" | "wind";

export interface Amount {
  readonly years?: number;
  readonly months?: number;
  readonly weeks?: number;
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
}

export interface WeatherIntent {
  readonly kind: "weather";
  /** Absent: no place is known, so it has to be asked for. */
  readonly place?: Place;
  /** Empty: now and today. */
  readonly days: readonly Days[];
  readonly aspect: Aspect;
  /** One of several places of which the warmest or coldest is asked for. */
  readonly compare?: "warmer" | "colder";
}

export interface HolidaysIntent {
  readonly kind: "holidays";
  /** Absent: wherever the server's default calendar is. */
  readonly place?: Place;
  readonly range?: OpenRange;
  readonly count?: number;
  /** The question is whether this one day is a holiday. */
  readonly isHoliday?: boolean;
  /** The question is how long it is until the next one. */
  readonly countdown?: boolean;
}

export interface NowIntent {
  readonly kind: "now";
  /** Absent: where the user is. */
  readonly place?: Place;
  readonly ask: "time" | "date";
}

export interface WeekdayIntent {
  readonly kind: "weekday";
  readonly date: IsoDate;
  /** As the user named the day, such as `Easter 2027`. */
  readonly words: string;
}

export interface NextWeekdayIntent {
  readonly kind: "next_weekday";
  readonly weekday: Weekday;
}

export interface DaysBetweenIntent {
  readonly kind: "days_between";
  /** Absent: today. */
  readonly from?: IsoDate;
  readonly to: IsoDate;
  readonly fromWords?: string;
  readonly toWords: string;
  readonly unit: "days" | "weeks";
}

export interface ShiftIntent {
  readonly kind: "shift";
  readonly operation: "add" | "subtract";
  /** Absent: now. */
  readonly date?: IsoDate;
  readonly amount: Amount;
  /** Such as `3 weeks from today`. */
  readonly words: string;
}

export interface ConvertIntent {
  readonly kind: "convert";
  /** `YYYY-MM-DDTHH:MM` in `from`. */
  readonly datetime: string;
  /** Absent: where the user is. */
  readonly from?: Place;
  readonly to?: Place;
}

/** Something to look up with tools. */
export type Task =
  | WeatherIntent
  | HolidaysIntent
  | NowIntent
  | WeekdayIntent
  | NextWeekdayIntent
  | DaysBetweenIntent
  | ShiftIntent
  | ConvertIntent;

/** Something to answer at once. */
export type Remark =
  | { readonly kind: "greeting" | "thanks" | "bye" | "about" | "out_of_reach" }
  | { readonly kind: "which_topic"; readonly places: readonly Place[] }
  | { readonly kind: "no_such_date"; readonly words: string };

export type Intent = Task | Remark;

/** What a conversation is about so far. */
export interface Topic {
  /** Those of the last turn that had any. */
  readonly tasks: readonly Task[];
  /** The places last named. */
  readonly places: readonly Place[];
}

export const NO_TOPIC: Topic = { tasks: [], places: [] };

const TASK_KINDS: ReadonlySet<Intent["kind"]> = new Set<Task["kind"]>([
  "weather",
  "holidays",
  "now",
  "weekday",
  "next_weekday",
  "days_between",
  "shift",
  "convert",
]);

export function isTask(intent: Intent): intent is Task {
  return TASK_KINDS.has(intent.kind);
}

export function isRemark(intent: Intent): intent is Remark {
  return !isTask(intent);
}
