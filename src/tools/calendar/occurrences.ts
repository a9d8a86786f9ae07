import type { EventInstance, VEvent } from "node-ical";
import { Temporal } from "temporal-polyfill";
import type { Holiday } from "./holiday-source.ts";

export interface Window {
  /** First and last day, both inclusive, `YYYY-MM-DD`. */
  readonly from: string;
  readonly to: string;
  /** IANA zone in which UTC times are read. */
  readonly timezone: string;
}

/** Of a longer name, the rest is cut off. */
const MAX_NAME_LENGTH = 200;

/**
 * Gives a function that reads an event and its overrides, as `readFeedText` gives them, and yields the
 * holidays it makes in a window. An event without a name, or that the library
 * can't read or expand, makes none.
 */
export async function loadOccurrenceReader(): Promise<(event: string, window: Window) => Holiday[]> {
  const { sync, expandRecurringEvent } = await import("node-ical");

  return (text, window) => {
    try {
      const calendar = sync.parseICS(`BEGIN:VCALENDAR\r\n${text}\r\nEND:VCALENDAR`);
      const event = Object.values(calendar).find((component) => component?.type === "VEVENT");
      if (event === undefined || isCancelled(event)) return [];
      // A day more on both sides: the library's own bounds are moments, these are days of any zone.
      return expandRecurringEvent(event, {
        from: localMidnight(window.from, -1),
        to: localMidnight(window.to, 2),
        expandOngoing: true,
      })
        .filter((instance) => !isCancelled(instance.event))
        .map((instance) => toHoliday(instance, window.timezone))
        .filter(({ name, date, end_date = date }) => name && date <= window.to && end_date >= window.from);
    } catch {
      return [];
    }
  };
}

function isCancelled({ status }: VEvent): boolean {
  return status?.toUpperCase() === "CANCELLED";
}

function localMidnight(date: string, days: number): Date {
  const { year, month, day } = Temporal.PlainDate.from(date).add({ days });
  return new Date(year, month - 1, day);
}

function toHoliday({ start, end, isFullDay, summary }: EventInstance, timezone: string): Holiday {
  const first = isFullDay ? localDate(start) : dateIn(start, start, timezone);
  // The end of an event is the first day, or moment, after it.
  const last = isFullDay
    ? localDate(end).subtract({ days: 1 })
    : dateIn(new Date(end.getTime() - 1), start, timezone);
  const name = String(summary).replace(/\s+/g, " ").trim().slice(0, MAX_NAME_LENGTH);
  const date = first.toString();
  return Temporal.PlainDate.compare(last, first) > 0
    ? { date, end_date: last.toString(), name }
    : { date, name };
}

/** The library gives whole days as midnights of the host's zone. */
function localDate(midnight: Date): Temporal.PlainDate {
  return new Temporal.PlainDate(midnight.getFullYear(), midnight.getMonth() + 1, midnight.getDate());
}

function dateIn(moment: Date, { tz }: EventInstance["start"], timezone: string): Temporal.PlainDate {
  const zone = tz === undefined || tz === "Etc/UTC" ? timezone : tz;
  return Temporal.Instant.fromEpochMilliseconds(moment.getTime()).toZonedDateTimeISO(zone).toPlainDate();
}
