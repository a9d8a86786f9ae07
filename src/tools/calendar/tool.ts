import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import { defineTool, type Tool, ToolError } from "../../core/assistant/tool.ts";
import { countryCode, fold } from "../names.ts";
import type { Holiday, HolidayPlace, HolidaySource, PlacesHolidaySource } from "./holiday-source.ts";

const DEFAULT_COUNT = 10;
const MAX_COUNT = 50;
const MAX_SPAN_YEARS = 10;
/** Beyond, the rules of moving feasts are guesses. */
const YEARS = { first: 1900, last: 2100 } as const;

const date = z
  .string({ error: "must be a date as YYYY-MM-DD" })
  .refine(isDate, { error: "must be a real date as YYYY-MM-DD, such as 2026-12-25" })
  .refine((text) => !isDate(text) || isKnownYear(text), {
    error: `must be in the years ${YEARS.first} to ${YEARS.last}`,
  });

const name = z.string({ error: "must be text" }).trim().min(1, "must not be empty; leave it out instead");

const schema = z.strictObject({
  country: name.max(60).optional().describe("ISO 3166-1 code or English name, such as 'ES' or 'Spain'"),
  region: name
    .max(60)
    .optional()
    .describe("State or region of the country, by code or name, such as 'CT' or 'Catalonia'"),
  after_date: date.optional().describe("First day, inclusive, YYYY-MM-DD; today when left out"),
  before_date: date
    .optional()
    .describe("Last day, inclusive, YYYY-MM-DD; one year after the first when left out"),
  max_count: z
    .int({ error: "must be a whole number" })
    .min(1, "must be at least 1")
    .max(MAX_COUNT, `must be at most ${MAX_COUNT}; ask again from a later after_date for more`)
    .optional()
    .describe(`Most holidays to give (1 to ${MAX_COUNT}); ${DEFAULT_COUNT} when left out`),
});

export interface HolidaysToolOptions {
  /** Answers for any place. */
  source: PlacesHolidaySource;
  /** Answers for `place` alone, and goes first there: the calendar that the operator chose. */
  feed?: HolidaySource | undefined;
  /** Where the user is when nothing is asked; else the country that the user's locale names. */
  place?: HolidayPlace | undefined;
}

/** `get_holidays`: the holidays of a country or region between two days. */
export function holidaysTool({ source, feed, place: home = {} }: HolidaysToolOptions): Tool {
  return defineTool({
    name: "get_holidays",
    description:
      "Public and bank holidays of a country or region between two dates, sorted by date. " +
      "Without a country it answers for the user's own calendar.",
    schema,
    readOnly: true,
    timeoutMs: 10_000,
    async execute({ country, region, after_date, before_date, max_count = DEFAULT_COUNT }, context) {
      const { locale, timezone, signal, now } = context;
      const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timezone).toPlainDate();
      const { from, to } = window(today, after_date, before_date);
      const query = { from, to, timezone, signal };
      const asked = { country, region };

      const chosen = feed !== undefined && (await isHome(asked, home, source)) ? feed : source;
      const place = chosen === feed ? home : placeOf(asked, home, locale);
      const found = await chosen.find({ ...query, place });
      const holidays = inOrder(found.holidays);
      return {
        place: found.place,
        after_date: from,
        before_date: to,
        holidays: holidays.slice(0, max_count).map(({ date, end_date, name, type }) => ({
          date,
          ...(end_date !== undefined && { end_date }),
          weekday: weekdayOf(date),
          name,
          ...(type !== undefined && { type }),
        })),
        more: holidays.length > max_count,
        source: chosen.name,
      };
    },
  });
}

function window(today: Temporal.PlainDate, after?: string, before?: string): { from: string; to: string } {
  const from = after === undefined ? today : Temporal.PlainDate.from(after);
  const to = before === undefined ? from.add({ years: 1 }) : Temporal.PlainDate.from(before);
  if (Temporal.PlainDate.compare(from, to) > 0) {
    const start = after === undefined ? `today, ${from}: give after_date too` : `after_date ${from}`;
    throw new ToolError(`before_date ${to} is before ${start}.`);
  }
  if (Temporal.PlainDate.compare(to, from.add({ years: MAX_SPAN_YEARS })) > 0) {
    throw new ToolError(
      `From ${from} to ${to} is more than ${MAX_SPAN_YEARS} years: ask for a shorter time.`,
    );
  }
  return { from: from.toString(), to: to.toString() };
}

/** Whether nothing was asked that differs from the place that the feed is for. */
async function isHome(
  asked: HolidayPlace,
  home: HolidayPlace,
  source: PlacesHolidaySource,
): Promise<boolean> {
  const isSameCountry =
    asked.country === undefined ||
    (home.country !== undefined && countryOf(asked.country) === countryOf(home.country));
  if (!isSameCountry || asked.region === undefined) return isSameCountry;
  if (home.region === undefined) return false;
  // The feed's region may be one that the source does not know.
  if (fold(asked.region) === fold(home.region)) return true;
  return source.isSame({ country: home.country, region: asked.region }, home);
}

function countryOf(text: string): string {
  return countryCode(text) ?? fold(text);
}

function placeOf(asked: HolidayPlace, home: HolidayPlace, locale: string): HolidayPlace {
  if (asked.country !== undefined) return asked;
  const country = home.country ?? regionOf(locale);
  if (country === undefined) {
    throw new ToolError("Say which country's holidays: give country, such as 'ES' or 'Spain'.");
  }
  return { country, region: asked.region ?? home.region };
}

function regionOf(locale: string): string | undefined {
  try {
    return new Intl.Locale(locale).region;
  } catch {
    return undefined;
  }
}

/** By date, then by name, each once. */
function inOrder(holidays: readonly Holiday[]): Holiday[] {
  const unique = new Map(holidays.map((holiday) => [keyOf(holiday), holiday]));
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, holiday]) => holiday);
}

function keyOf({ date, end_date, name }: Holiday): string {
  return `${date} ${fold(name)} ${end_date ?? ""}`;
}

function weekdayOf(date: string): string {
  return Temporal.PlainDate.from(date).toLocaleString("en", { weekday: "long" });
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  try {
    Temporal.PlainDate.from(text);
    return true;
  } catch {
    return false;
  }
}

function isKnownYear(text: string): boolean {
  const year = Number(text.slice(0, 4));
  return year >= YEARS.first && year <= YEARS.last;
}
