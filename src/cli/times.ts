import type { Timestamp } from "../gen/google/protobuf/timestamp";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Swedish writes dates as ISO 8601 does.
const dateTime = new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "short" });
const date = new Intl.DateTimeFormat("sv", { dateStyle: "short" });

/** As `2026-11-21 09:00`, in the machine's time zone; empty without a timestamp. */
export function localTime(timestamp: Timestamp | undefined): string {
  return timestamp ? dateTime.format(toMs(timestamp)) : "";
}

/** As `5 min ago`, or the local date when that is a week or more; `now` is in Unix milliseconds. */
export function relativeTime(timestamp: Timestamp | undefined, now: number): string {
  if (!timestamp) return "";
  const age = now - toMs(timestamp);
  if (age < MINUTE) return "just now";
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  if (age < 2 * DAY) return "1 day ago";
  if (age < 7 * DAY) return `${Math.floor(age / DAY)} days ago`;
  return date.format(toMs(timestamp));
}

function toMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + nanos / 1_000_000;
}
