import type Holidays from "date-holidays";
import type { HolidaysTypes } from "date-holidays";
import { Temporal } from "temporal-polyfill";
import { ToolError } from "../../core/assistant/tool.ts";
import type { Holiday, HolidayPlace, PlacesHolidaySource } from "./holiday-source.ts";
import { type KnownPlace, resolvePlace } from "./places.ts";

/** Days off work. Left out: school, optional, and observances such as Mother's Day. */
const TYPES: HolidaysTypes.HolidayType[] = ["public", "bank"];

/** Holidays of any country from the npm package date-holidays: offline, in English where it has a name. */
export function dateHolidays(): PlacesHolidaySource {
  return {
    name: "date-holidays",
    async find({ place, from, to }) {
      const HolidayCalendar = await loadHolidays();
      const { country, country_name, region } = resolvePlace(new HolidayCalendar(), place);
      const calendar = new HolidayCalendar(
        { country, ...(region && { state: region.state }), ...(region?.part && { region: region.part }) },
        { types: TYPES },
      );
      return {
        place: {
          country,
          country_name,
          ...(region && { region: region.code, region_name: region.names[0] }),
        },
        holidays: holidaysOf(calendar, from, to),
      };
    },
    async isSame(a, b) {
      try {
        const [one, other] = [await requireKnownPlace(a), await requireKnownPlace(b)];
        return one.country === other.country && one.region?.code === other.region?.code;
      } catch (error) {
        if (error instanceof ToolError) return false;
        throw error;
      }
    },
  };
}

/** Throws a ToolError, which says what there is, unless {@link dateHolidays} knows the place. */
export async function requireKnownPlace(place: HolidayPlace): Promise<KnownPlace> {
  const HolidayCalendar = await loadHolidays();
  return resolvePlace(new HolidayCalendar(), place);
}

/** At the first use: its data takes 30 MB of memory and a tenth of a second. */
async function loadHolidays(): Promise<typeof Holidays> {
  return (await import("date-holidays")).default;
}

function holidaysOf(calendar: Holidays, from: string, to: string): Holiday[] {
  // A holiday that begins in the year before may reach into the first one.
  const years: number[] = [];
  for (let year = yearOf(from) - 1; year <= yearOf(to); year++) years.push(year);
  return years
    .flatMap((year) => calendar.getHolidays(year, "en"))
    .map(toHoliday)
    .filter(({ date, end_date = date }) => date <= to && end_date >= from);
}

function yearOf(date: string): number {
  return Number(date.slice(0, 4));
}

function toHoliday({ date: text, start, end, name, type }: HolidaysTypes.Holiday): Holiday {
  // `start` is the evening before for Islamic and Jewish days; `date` has the day itself.
  const date = text.slice(0, 10);
  const hours = (end.getTime() - start.getTime()) / 3_600_000;
  // The hour of tolerance: over a change of clocks a day has 23. Half days at the end do not count.
  const days = Math.floor((hours + 1) / 24);
  if (days <= 1) return { date, name, type };
  return {
    date,
    end_date: Temporal.PlainDate.from(date)
      .add({ days: days - 1 })
      .toString(),
    name,
    type,
  };
}
