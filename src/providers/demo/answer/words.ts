import type { IsoDate } from "../calendar.ts";

/** Puts dates and numbers as an English speaker of a region writes them. Dates have no time zone. */
export interface Words {
  /** `Saturday, 21 November 2026` */
  date(date: IsoDate): string;
  /** `21 November 2026` */
  plainDate(date: IsoDate): string;
  /** `Saturday, 21 November` */
  day(date: IsoDate): string;
  /** `Saturday` */
  weekday(date: IsoDate): string;
  /** `21:04` or `9:04 PM`, from `HH:MM`. */
  time(time: string): string;
  number(value: number): string;
  /** `62%` */
  percent(value: number): string;
  /** `a, b and c` */
  list(items: readonly string[]): string;
}

function englishLocale(locale: string): string {
  try {
    const [tag = "en-GB"] = Intl.getCanonicalLocales(locale);
    return /^en\b/.test(tag) ? tag : "en-GB";
  } catch {
    return "en-GB";
  }
}

/** @param locale BCP 47; answers are in English, so any other language counts as `en-GB`. */
export function wordsIn(locale: string): Words {
  const tag = englishLocale(locale);
  const dates = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat(tag, { ...options, timeZone: "UTC" });
    return (text: string) => {
      const date = new Date(text.length > 10 ? `${text}Z` : `${text}T00:00Z`);
      // What is no date stays as a tool wrote it.
      return Number.isNaN(date.getTime()) ? text : format.format(date);
    };
  };
  const day = { weekday: "long", day: "numeric", month: "long" } as const;
  const clock = dates({ timeStyle: "short" });
  const number = new Intl.NumberFormat(tag, { maximumFractionDigits: 1 });
  return {
    date: dates({ ...day, year: "numeric" }),
    plainDate: dates({ day: "numeric", month: "long", year: "numeric" }),
    day: dates(day),
    weekday: dates({ weekday: "long" }),
    time: (time) => clock(`2000-01-01T${time}`).replace(/\u202f/g, " "),
    number: (value) => number.format(value),
    percent: (value) => `${number.format(value)}%`,
    list: (items) =>
      new Intl.ListFormat(tag === "en-US" ? "en-US" : "en-GB", { type: "conjunction" }).format(items),
  };
}

export function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Without the full stop that the sentence around it will have. */
export function withoutStop(text: string): string {
  return text.trim().replace(/[.\s]+$/, "");
}

/** What could not be done, then why: a tool's error, which is a sentence or two of its own. */
export function couldNot(what: string, problem: string): string {
  return `I couldn't ${what}. ${capitalised(withoutStop(problem))}.`;
}

export function plural(count: number, unit: string, words: Words): string {
  return `${words.number(count)} ${unit}${Math.abs(count) === 1 ? "" : "s"}`;
}

/** "in Tokyo", "in the United Kingdom" */
export function inPlace(name: string): string {
  return /^(?:United |Alps|Bahamas|Maldives|Netherlands|Philippines|Seychelles)/.test(name)
    ? `in the ${name}`
    : `in ${name}`;
}
