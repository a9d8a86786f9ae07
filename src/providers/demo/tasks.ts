import { type DateRange, type IsoDate, plus } from "./calendar.ts";
import { type DateMention, lengthOf, type OpenRange, rangeIn } from "./dates.ts";
import type { Amount, Aspect, Days, Task } from "./intent.ts";
import { COUNT, countOf } from "./numbers.ts";
import type { Place } from "./places.ts";
import type { Segment } from "./segments.ts";
import { CLOCK, SHIFT, type TaskKind } from "./task-kinds.ts";

/** What is known around a segment. */
interface Surroundings {
  readonly today: IsoDate;
  /** The places that the segment is about, its own or taken over. */
  readonly places: readonly Place[];
  /** The dates that weather and holidays are asked for, its own or taken over. */
  readonly when: When;
}

/** Dates and the text that they stand in. */
export interface When {
  readonly text: string;
  readonly dates: readonly DateMention[];
}

type Builder = (segment: Segment, around: Surroundings) => readonly Task[] | undefined;

/** One for each place, or a single one without a place. */
function forEach(places: readonly Place[], build: (place: Place | undefined) => Task): readonly Task[] {
  return places.length === 0 ? [build(undefined)] : places.map(build);
}

const ASPECTS: readonly (readonly [Aspect, RegExp])[] = [
  ["rain", /\b(?:rain(?:s|y|ing|coat)?|umbrella|wet|wetter|drier|showers)\b/i],
  ["snow", /\bsnow(?:s|y|ing)?\b/i],
  ["wind", /\b(?:wind|windy|windier)\b/i],
];

const TODAY = /^(?:today|tonight|this (?:morning|afternoon|evening))/i;

/** The days that a weather question names; today alone is what it is about anyway. */
export function daysOf({ text, dates }: When, today: IsoDate): readonly Days[] {
  const range = rangeIn(text, dates);
  const [first] = dates;
  if (first === undefined || range === undefined) return [];
  const closed: DateRange = {
    from: range.from ?? today,
    to: range.to ?? plus(range.from ?? today, 6, "days"),
  };
  const oneRange = closed.from !== first.from || closed.to !== first.to;
  if (oneRange) return [closed];
  if (dates.length === 1 && TODAY.test(first.words)) return [];
  return dates.map(({ from, to, counted }) =>
    counted === true ? { from, to, counted: lengthOf({ from, to }) } : { from, to },
  );
}

const weather: Builder = ({ text }, { places, when, today }) => {
  const aspect = ASPECTS.find(([, pattern]) => pattern.test(text))?.[0] ?? "general";
  const days = daysOf(when, today);
  const compare = /\b(?:(warmer|warmest|hott?er|hottest)|(colder|coldest|cooler|coolest))\b/i.exec(text);
  return forEach(places, (place) => ({
    kind: "weather",
    place,
    days,
    aspect,
    ...(compare !== null && places.length > 1
      ? { compare: compare[1] === undefined ? "colder" : "warmer" }
      : {}),
  }));
};

const HOLIDAY_COUNT = new RegExp(
  `\\b(?:next|upcoming|following|coming) (${COUNT}) (?:\\w+ ){0,2}(?:holidays?|days? off)|\\b(${COUNT}) (?:next|upcoming|coming) (?:\\w+ ){0,2}(?:holidays?|days? off)`,
  "i",
);
const ONE_HOLIDAY =
  /\b(?:next|upcoming|coming|following) (?:(?:public|bank|national|local|official) )?(?:holiday|day off|long weekend)\b|\bholiday is next\b/i;

export function rangeOf({ text, dates }: When): { range?: OpenRange; isHoliday?: boolean } {
  const range = rangeIn(text, dates);
  if (range === undefined) return {};
  return range.from === range.to ? { range, isHoliday: true } : { range };
}

/** "Is it a holiday?" means the day spoken of, or today. */
const IS_IT_A_HOLIDAY = /\bis (?:it|this|that)\b.*\bholiday\b(?!s)/i;

const holidays: Builder = ({ text, rest, dates }, { places, when, today }) => {
  const isIt = IS_IT_A_HOLIDAY.test(text);
  const spoken = rangeOf(isIt || dates.length > 0 ? when : { text, dates });
  const asked =
    isIt && spoken.range === undefined ? { range: { from: today, to: today }, isHoliday: true } : spoken;
  const counted = HOLIDAY_COUNT.exec(rest);
  const n = counted?.[1] ?? counted?.[2];
  const count = n === undefined ? (ONE_HOLIDAY.test(rest) ? 1 : undefined) : Math.max(1, countOf(n));
  return forEach(places, (place) => ({
    kind: "holidays",
    place,
    ...asked,
    ...(count === undefined ? {} : { count }),
  }));
};

const daysBetween: Builder = (segment, { places, today }) => {
  const { text, dates, kinds } = segment;
  const [first, second] = dates;
  if (first === undefined) {
    return kinds.includes("holidays") && ONE_HOLIDAY.test(text)
      ? forEach(places, (place) => ({ kind: "holidays", place, count: 1, countdown: true }))
      : undefined;
  }
  const unit = /\bweeks? (?:\w+ )*(?:until|til|till|to|before|since|between|left|from)\b/i.test(text)
    ? "weeks"
    : "days";
  if (second !== undefined) {
    return [
      {
        kind: "days_between",
        from: first.from,
        to: second.from,
        fromWords: first.words,
        toWords: second.words,
        unit,
      },
    ];
  }
  return [{ kind: "days_between", ...openEnd(text, first, today), unit }];
};

function openEnd(text: string, { from, words }: DateMention, today: IsoDate) {
  return /\b(?:since|ago)\b/i.test(text)
    ? { from, to: today, fromWords: words, toWords: "today" }
    : { to: from, toWords: words };
}

const shift: Builder = ({ text, dates }) => {
  const match = SHIFT.exec(text);
  if (match === null) return undefined;
  const [whole, , n = "", unit = "", n2, unit2, direction = "later"] = match;
  const end = match.index + whole.length;
  const base = /^(?:from|after|before)$/i.test(direction)
    ? dates.find(({ start }) => /^\s*(?:the )?$/i.test(text.slice(end, start)) && start >= end)
    : undefined;
  const amount: Amount = {
    [`${unit.toLowerCase()}s`]: countOf(n),
    ...(n2 === undefined || unit2 === undefined ? {} : { [`${unit2.toLowerCase()}s`]: countOf(n2) }),
  };
  return [
    {
      kind: "shift",
      operation: /^(?:before|ago|earlier)$/i.test(direction) ? "subtract" : "add",
      ...(base === undefined ? {} : { date: base.from }),
      amount,
      words: text.slice(match.index, base?.end ?? end),
    },
  ];
};

const day: Builder = ({ text, dates }, { places, today }) => {
  const [first] = dates;
  if (first === undefined || (dates.length === 1 && TODAY.test(first.words))) {
    if (/^(?:and )?when/i.test(text)) return undefined;
    return forEach(places, (place) => ({ kind: "now", place, ask: "date" }));
  }
  if (dates.some(({ from, to }) => from !== to)) return undefined;
  const asksDate = /\bwhen|\bdate\b/i.test(text);
  return dates.map(({ from, words, weekday }) =>
    weekday !== undefined && asksDate && from >= today
      ? { kind: "next_weekday", weekday }
      : { kind: "weekday", date: from, words },
  );
};

/** "Tokyo time" asks for it, "next time" does not. */
const ASKS_TIME = /\b(?:what|what's|whats|the|current|local|tell|got)\b|^(?:and )?(?:the )?time\b/i;

const now: Builder = ({ text }, { places }) =>
  places.length === 0 && !ASKS_TIME.test(text)
    ? undefined
    : forEach(places, (place) => ({
        kind: "now",
        place,
        ask: /\b(?:date|day)\b/i.test(text) ? "date" : "time",
      }));

function clockOf(match: RegExpExecArray): string {
  const [, hours, minutes = "00", half, hoursOnly, halfOnly, named] = match;
  if (named !== undefined) return named.toLowerCase() === "midnight" ? "00:00" : "12:00";
  const hour = Number(hours ?? hoursOnly);
  const pm = (half ?? halfOnly)?.toLowerCase();
  const of24 = pm === undefined ? hour : (hour % 12) + (pm === "p" ? 12 : 0);
  return `${String(of24).padStart(2, "0")}:${minutes}`;
}

const convert: Builder = ({ text, places, dates }, { today }) => {
  const clock = CLOCK.exec(text);
  if (clock === null || places.length === 0 || places.length > 2) return undefined;
  const time = clockOf(clock);
  if (time > "23:59" || time.slice(3) > "59") return undefined;
  const clockEnd = clock.index + clock[0].length;
  // The clock's place stands right behind it ("15:00 in Madrid") or somewhere before it.
  const behind = places.find(
    ({ start }) =>
      start >= clockEnd && /^\s*(?:in |at |from |time in )?(?:the )?$/i.test(text.slice(clockEnd, start)),
  );
  const before = places.findLast(({ end }) => end <= clock.index);
  const asked = /\btime\b[^,]*\bin (?:the )?$/i;
  const from =
    behind ??
    (before !== undefined && places.length === 1 && asked.test(text.slice(0, before.start))
      ? undefined
      : before);
  return [
    {
      kind: "convert",
      datetime: `${dates[0]?.from ?? today}T${time}`,
      from: from?.place,
      to: places.find((place) => place !== from)?.place,
    },
  ];
};

export const BUILDERS: Readonly<Record<TaskKind, Builder>> = {
  weather,
  holidays,
  days_between: daysBetween,
  convert,
  shift,
  day,
  now,
};
