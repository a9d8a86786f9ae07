import { setImmediate } from "node:timers/promises";
import { ToolError } from "../../core/assistant/tool.ts";
import {
  AddressNotAllowedError,
  type HttpClient,
  type HttpResponse,
  RequestRefusedError,
  ResponseTooLargeError,
} from "../../net/http-client.ts";
import { readFeedText } from "./feed-text.ts";
import type { Holiday, HolidaySource } from "./holiday-source.ts";
import { loadOccurrenceReader } from "./occurrences.ts";

const DEFAULT_MAX_BYTES = 2 * 1024 * 1024;
const MAX_REDIRECTS = 5;
/** In the time asked for. */
const MAX_OCCURRENCES = 10_000;

export interface IcalFeedOptions {
  http: HttpClient;
  /** http or https. May hold a secret: no error has it in its text. */
  url: string;
  /** A longer feed is an error. Default: 2 MiB. */
  maxBytes?: number;
}

/**
 * Holidays from an iCalendar feed (RFC 5545): recurring, all-day, timed and multi-day events, each on
 * the days it has in its own time zone. Cancelled events are left out; RDATE is not read.
 */
export function icalFeed({ http, url, maxBytes = DEFAULT_MAX_BYTES }: IcalFeedOptions): HolidaySource {
  const address = new URL(url);

  async function download(signal: AbortSignal): Promise<string> {
    let response: HttpResponse;
    try {
      response = await http.get(address, { signal, maxBytes, maxRedirects: MAX_REDIRECTS });
    } catch (cause) {
      signal.throwIfAborted();
      throw new ToolError(problemWith(cause, maxBytes), { cause });
    }
    const { status, body } = response;
    if (status >= 200 && status <= 299) return body;
    throw new ToolError(`The holiday calendar can't be had right now (status ${status}). Try again later.`);
  }

  return {
    name: "iCalendar",
    async find({ place, from, to, timezone, signal }) {
      const feed = readFeedText(await download(signal), timezone);
      const occurrencesOf = await loadOccurrenceReader();
      const holidays: Holiday[] = [];
      for (const event of feed.events) {
        // An event costs a fraction of a second at most; between two, others are served and the deadline counts.
        await setImmediate();
        signal.throwIfAborted();
        holidays.push(...occurrencesOf(event, { from, to, timezone: feed.timezone }));
        if (holidays.length > MAX_OCCURRENCES) {
          throw new ToolError(
            `The holiday calendar has more than ${MAX_OCCURRENCES} events in that time: ask for a shorter one.`,
          );
        }
      }
      return { place: { ...place, ...(feed.name && { calendar: feed.name }) }, holidays };
    },
  };
}

/** Why there is no feed, without its address. */
function problemWith(error: unknown, maxBytes: number): string {
  if (error instanceof ResponseTooLargeError)
    return `The holiday calendar is longer than ${maxBytes} bytes: it can't be used.`;
  if (error instanceof AddressNotAllowedError)
    return "The holiday calendar leads to a private address: the server's operator must allow it in OUTBOUND_ALLOW.";
  if (error instanceof RequestRefusedError)
    return "The holiday calendar's address can't be used: the server's operator must check HOLIDAY_CALENDAR_URL.";
  return "The holiday calendar can't be reached right now. Try again later.";
}
