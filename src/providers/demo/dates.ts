import {
  type CalendarUnit,
  type DateRange,
  daysBetween,
  easter,
  type IsoDate,
  isIsoDate,
  isoDate,
  monthOf,
  plus,
  WEEKDAYS,
  type Weekday,
  weekdayIndex,
  weekOf,
  yearOf,
} from "./calendar.ts";
import { COUNT, countOf } from "./numbers.ts";

/** A date expression found in a text. */
export interface DateMention extends DateRange {
  /** Where it stands in the text: `start` inclusive, `end` exclusive. */
  readonly start: number;
  readonly end: number;
  /** The user's own words, such as `next Friday`. */
  readonly words: string;
  /** Set when the words name a weekday. */
  readonly weekday?: Weekday;
  /** Set when the words count days from today on, such as `for 5 days`. */
  readonly counted?: boolean;
  /** The calendar has no such day, such as 30 February; `from` and `to` mean nothing then. */
  readonly impossible?: boolean;
}

export interface DateReading {
  readonly today: IsoDate;
  /** 3/4/2027 is 4 March, as in the United States. */
  readonly monthFirst: boolean;
}

type Found = Omit<DateMention, "start" | "end" | "words">;

interface Reader extends DateReading {
  /** The text speaks of the past: a date without a year is then the last one, else the next one. */
  readonly past: boolean;
  /** It asks for what is left of a year, month or week. */
  readonly remaining: boolean;
}

interface Rule {
  readonly pattern: RegExp;
  read(match: readonly (string | undefined)[], reader: Reader): Found | undefined;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTH =
  "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\b\\.?";
const DAY = "(\\d{1,2})(?:st|nd|rd|th)?";
const YEAR = "((?:19|20|21)\\d\\d)\\b";
const MAYBE_YEAR = `(?:,? (?:of )?${YEAR})?`;
const UNIT = "(day|week|month|year)s?";

const NAMED_DAYS: readonly (readonly [names: string, day: (year: number) => IsoDate])[] = [
  ["christmas eve|xmas eve", (year) => `${year}-12-24`],
  ["christmas(?: day)?|xmas", (year) => `${year}-12-25`],
  ["boxing day|st\\.? stephen'?s day", (year) => `${year}-12-26`],
  ["new year'?s? eve|silvester", (year) => `${year}-12-31`],
  ["new year'?s?(?: day)?", (year) => `${year}-01-01`],
  ["epiphany|three kings(?:'? day)?", (year) => `${year}-01-06`],
  ["valentine'?s?(?: day)?", (year) => `${year}-02-14`],
  ["st\\.? patrick'?s day", (year) => `${year}-03-17`],
  ["labou?r day|may day", (year) => `${year}-05-01`],
  ["bastille day", (year) => `${year}-07-14`],
  ["halloween", (year) => `${year}-10-31`],
  ["all saints'?(?: day)?", (year) => `${year}-11-01`],
  ["good friday", (year) => plus(easter(year), -2, "days")],
  ["easter monday", (year) => plus(easter(year), 1, "days")],
  ["ascension(?: day)?", (year) => plus(easter(year), 39, "days")],
  ["whit monday|pentecost monday", (year) => plus(easter(year), 50, "days")],
  ["pentecost|whit sunday", (year) => plus(easter(year), 49, "days")],
  ["easter(?: sunday)?", (year) => easter(year)],
];

/** A date beyond the years that are written with four digits counts as none. */
function day(date: IsoDate | undefined, extra: Partial<Found> = {}): Found {
  return date === undefined || !isIsoDate(date)
    ? { from: "", to: "", impossible: true, ...extra }
    : { from: date, to: date, ...extra };
}

/** The occurrence that is meant by a date without a year. */
function inSomeYear(inYear: (year: number) => IsoDate | undefined, reader: Reader): IsoDate | undefined {
  const year = Number(reader.today.slice(0, 4));
  // Nine years always hold a leap day.
  const years = Array.from({ length: 9 }, (_, offset) => (reader.past ? year - offset : year + offset));
  return years
    .map(inYear)
    .find((date) => date !== undefined && (reader.past ? date <= reader.today : date >= reader.today));
}

function dayOfMonth(d = "", m = "", y: string | undefined, reader: Reader): Found {
  const month = MONTHS.indexOf(m.slice(0, 3).toLowerCase()) + 1;
  if (y !== undefined) return day(isoDate(Number(y), month, Number(d)));
  return day(inSomeYear((year) => isoDate(year, month, Number(d)), reader));
}

function unitOf(text = "day"): CalendarUnit {
  return `${text.toLowerCase()}s` as CalendarUnit;
}

function span(today: IsoDate, amount: number, unit: CalendarUnit): Found {
  // Zero days, and spans beyond any calendar a tool knows, are read as the nearest that makes sense.
  const to = plus(plus(today, Math.min(Math.max(amount, 1), 1000), unit), -1, "days");
  return { from: today, to, counted: true };
}

/** The calendar week, month or year that a day lies in. */
const RANGES = { days: weekOf, weeks: weekOf, months: monthOf, years: yearOf };

/** Rules are tried in this order; words that one rule has read are not read again. */
const RULES: readonly Rule[] = [
  {
    pattern: /\b(\d{4})-(\d{1,2})-(\d{1,2})\b/gi,
    read: ([, y, m, d]) => day(isoDate(Number(y), Number(m), Number(d))),
  },
  {
    pattern: /\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})\b/gi,
    read: ([, a, b, y], { monthFirst }) =>
      day(isoDate(Number(y), Number(monthFirst ? a : b), Number(monthFirst ? b : a))),
  },
  {
    pattern: new RegExp(
      `\\b${DAY} ?(?:-|–|to|and|until) ?(?:the )?${DAY} (?:of )?${MONTH}${MAYBE_YEAR}`,
      "gi",
    ),
    read([, first, last, month, year], reader) {
      const to = dayOfMonth(last, month, year, reader);
      const from = dayOfMonth(first, month, year ?? to.to.slice(0, 4), reader);
      return { from: from.from, to: to.to, impossible: from.impossible || to.impossible };
    },
  },
  {
    pattern: new RegExp(`\\b(?:the )?${DAY} (?:of )?${MONTH}${MAYBE_YEAR}`, "gi"),
    read: ([, d, m, y], reader) => dayOfMonth(d, m, y, reader),
  },
  {
    pattern: new RegExp(`\\b${MONTH} (?:the )?${DAY}\\b${MAYBE_YEAR}`, "gi"),
    read: ([, m, d, y], reader) => dayOfMonth(d, m, y, reader),
  },
  ...NAMED_DAYS.map(
    ([names, inYear]): Rule => ({
      pattern: new RegExp(`\\b(?:${names})\\b(?: (?:in |of )?${YEAR})?`, "gi"),
      read: ([, y], reader) => day(y === undefined ? inSomeYear(inYear, reader) : inYear(Number(y))),
    }),
  ),
  {
    pattern: new RegExp(
      `\\b(this |next |last |of |in |for |until |till |since |during |and |to |by )?${MONTH}(?: ${YEAR})?`,
      "gi",
    ),
    read([words, lead, m = "", y], reader) {
      // "may" and "march" are also verbs, "mar" and "dec" hardly ever stand alone.
      if (lead === undefined && y === undefined && !/^[A-Z]/.test(words ?? "")) return undefined;
      const month = MONTHS.indexOf(m.slice(0, 3).toLowerCase()) + 1;
      const past = reader.past || /^last/i.test(lead ?? "");
      const first = inSomeYear(
        (year) => monthOf(`${year}-${String(month).padStart(2, "0")}-01`)[past ? "from" : "to"],
        { ...reader, past },
      );
      if (y !== undefined) return monthOf(`${y}-${String(month).padStart(2, "0")}-01`);
      return first === undefined ? undefined : monthOf(first);
    },
  },
  { pattern: /\b(?:the )?day after tomorrow\b/gi, read: (_, { today }) => day(plus(today, 2, "days")) },
  { pattern: /\b(?:the )?day before yesterday\b/gi, read: (_, { today }) => day(plus(today, -2, "days")) },
  {
    pattern: /\b(?:tomorr?ow|tommorr?ow|tmrw|tmr)(?:'s)?(?: (?:morning|afternoon|evening|night))?\b/gi,
    read: (_, { today }) => day(plus(today, 1, "days")),
  },
  { pattern: /\byesterday(?:'s)?\b/gi, read: (_, { today }) => day(plus(today, -1, "days")) },
  {
    pattern: /\b(?:today(?:'s)?|tonight|this (?:morning|afternoon|evening))\b/gi,
    read: (_, { today }) => day(today),
  },
  {
    pattern: /\b(?:(next|last|this|the|on|at)(?: the)? )?week-?ends?\b/gi,
    read([, lead], { today }) {
      const week = weekOf(plus(today, { next: 1, last: -1 }[lead?.toLowerCase() ?? ""] ?? 0, "weeks"));
      const saturday = plus(week.to, -1, "days");
      return { from: saturday < today && week.to >= today ? today : saturday, to: week.to };
    },
  },
  {
    pattern:
      /\b(?:(next|last|past|this|coming|on|for|until|till) )?(?:coming )?(mon|tue|wednes|thur|fri|satur|sun)s?day(?:'s|s)?(?: (?:morning|afternoon|evening|night))?\b|\b(next|last|this|on|until|till) (mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\b/gi,
    read([, longLead, longName, shortLead, shortName], { today, past }) {
      const lead = (longLead ?? shortLead)?.toLowerCase();
      const name = (longName ?? shortName ?? "").slice(0, 3).toLowerCase();
      const index = WEEKDAYS.findIndex((weekday) => weekday.toLowerCase().startsWith(name));
      const ahead = (index - weekdayIndex(today) + 7) % 7;
      const back = lead === "last" || lead === "past" || past;
      // "next Friday" said on a Friday is a week away, "Friday" is today.
      const offset = back ? ahead - 7 : lead === "next" ? ahead || 7 : ahead;
      return day(plus(today, offset, "days"), { weekday: WEEKDAYS[index] });
    },
  },
  {
    pattern: new RegExp(
      `\\b(?:(?:for|over|in|during|within) )?(?:the )?(?:next|coming|following|upcoming) (${COUNT}) ${UNIT}\\b`,
      "gi",
    ),
    read: ([, n = "", unit], { today }) => span(today, countOf(n), unitOf(unit)),
  },
  {
    pattern: new RegExp(
      `\\bfor (?:the )?(${COUNT}) (day|week)s?\\b(?! (?:from|after|before|ago))|\\b(${COUNT})[- ](day)\\b`,
      "gi",
    ),
    read: ([, n, unit, n2, unit2], { today }) => span(today, countOf(n ?? n2 ?? ""), unitOf(unit ?? unit2)),
  },
  {
    pattern: /\b(?:the )?(?:next|coming|following) (?:few |couple of |several )?days\b/gi,
    read: (_, { today }) => span(today, 3, "days"),
  },
  {
    pattern: new RegExp(
      `\\b(?:in|within) (${COUNT}) ${UNIT}(?:'? time)?\\b|\\b(${COUNT}) ${UNIT} (?:from (?:now|today)|later)\\b`,
      "gi",
    ),
    read: ([, n, unit, n2, unit2], { today }) =>
      day(plus(today, countOf(n ?? n2 ?? ""), unitOf(unit ?? unit2))),
  },
  {
    pattern: new RegExp(`\\b(${COUNT}) ${UNIT} ago\\b`, "gi"),
    read: ([, n = "", unit], { today }) => day(plus(today, -countOf(n), unitOf(unit))),
  },
  {
    pattern: /\b(?:(?:the )?end of (?:the|this)|(?:the )?end of (next)) (week|month|year)\b/gi,
    read([, next, whole], { today }) {
      const unit = unitOf(whole);
      return day(RANGES[unit](plus(today, next === undefined ? 0 : 1, unit)).to);
    },
  },
  {
    pattern:
      /\b(?:the )?rest of (?:the|this) (week|month|year)\b|\b(this|next|last|the coming) (week|month|year)\b/gi,
    read([, rest, lead, whole], { today, remaining: left }) {
      const remaining = left && lead?.toLowerCase() === "this";
      const unit = unitOf(rest ?? whole);
      const shift = { next: 1, last: -1, "the coming": 1 }[lead?.toLowerCase() ?? ""] ?? 0;
      const range = RANGES[unit](plus(today, shift, unit));
      return rest !== undefined || remaining || (unit === "weeks" && shift === 0)
        ? { ...range, from: today }
        : range;
    },
  },
  {
    pattern: new RegExp(`\\b(?:(?:in|for|during|of|year|and) (?:the year )?)?${YEAR}(?![:\\d])`, "gi"),
    read: ([, y]) => yearOf(`${y}-01-01`),
  },
];

const PAST = /\b(?:was|were|did|since|ago|born)\b/i;

/** The date expressions of a text in their order, relative ones resolved from `today`. */
export function findDates(text: string, reading: DateReading): readonly DateMention[] {
  const reader = { ...reading, past: PAST.test(text), remaining: /\b(?:left|remaining|still)\b/i.test(text) };
  const mentions: DateMention[] = [];
  let unread = text;
  for (const rule of RULES) {
    for (const match of unread.matchAll(rule.pattern)) {
      const found = rule.read(match, reader);
      if (found === undefined) continue;
      const lead = /^(?:of|in|for|until|till|since|during|and|to|by|on|over|within) (?:the )?/i.exec(
        match[0],
      );
      // Words such as "until" stay in the text: they say what the date is for.
      const start = match.index + (found.counted ? 0 : (lead?.[0].length ?? 0));
      const end = match.index + match[0].length;
      mentions.push({ ...found, start, end, words: text.slice(start, end) });
      unread = mask(unread, start, end);
    }
  }
  return mentions.sort((a, b) => a.start - b.start);
}

/** Stands for each character of a span that has been read. */
export const MASK = "|";

export function mask(text: string, start: number, end: number): string {
  return text.slice(0, start) + MASK.repeat(end - start) + text.slice(end);
}

/** How many days a range has. */
export function lengthOf(range: DateRange): number {
  return daysBetween(range.from, range.to) + 1;
}

export interface OpenRange {
  readonly from?: IsoDate;
  readonly to?: IsoDate;
}

/** The range that mentions and the words around them make: `between A and B`, `until A`, `after A`. */
export function rangeIn(text: string, mentions: readonly DateMention[]): OpenRange | undefined {
  const [first, second] = mentions;
  if (first === undefined) return undefined;
  const before = text.slice(0, first.start);
  if (second !== undefined) {
    const gap = text.slice(first.end, second.start);
    if (
      /^\s*(?:to|until|till|through|[-–])\s*(?:the )?$/i.test(gap) ||
      /\b(?:between|from) (?:the )?$/i.test(before)
    ) {
      // "Thursday to Sunday" ends behind its beginning, whichever of them comes first from today.
      if (second.weekday !== undefined && second.to < first.from) {
        return { from: first.from, to: plus(second.to, 1, "weeks") };
      }
      return first.from <= second.to
        ? { from: first.from, to: second.to }
        : { from: second.from, to: first.to };
    }
  }
  if (/\b(?:until|till|up to|by) (?:the )?$/i.test(before)) return { to: first.to };
  if (/\bbefore (?:the )?$/i.test(before)) return { to: plus(first.from, -1, "days") };
  if (/\bafter (?:the )?$/i.test(before)) return { from: plus(first.to, 1, "days") };
  if (/\b(?:since|from|starting) (?:the )?$/i.test(before)) return { from: first.from };
  return { from: first.from, to: first.to };
}
