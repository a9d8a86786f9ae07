import { ToolError } from "../../core/assistant/tool.ts";

/** What a feed says, cut down to what holidays need and what is safe to expand. */
export interface FeedText {
  readonly name?: string;
  /** IANA zone in which UTC times are read. */
  readonly timezone: string;
  /** One entry an event: its VEVENT, and for a recurring one the VEVENTs that override occurrences. */
  readonly events: Iterable<string>;
}

/** More is no calendar of holidays. */
const MAX_EVENTS = 5000;
/** Of one event; each is compared with every occurrence. */
const MAX_EXCEPTIONS = 200;

/** Of the name that the calendar gives itself; the rest is cut off. */
const MAX_NAME_LENGTH = 200;

const DATE_PROPERTIES: ReadonlySet<string> = new Set(["DTSTART", "DTEND", "EXDATE", "RECURRENCE-ID"]);
const KEPT_PROPERTIES: ReadonlySet<string> = new Set([
  ...DATE_PROPERTIES,
  "DURATION",
  "RRULE",
  "SEQUENCE",
  "STATUS",
  "SUMMARY",
]);

/**
 * Reads the text of an iCalendar feed (RFC 5545). Left out are events that can't be expanded within
 * bounds or are no holidays: rules that repeat more often than daily, no DTSTART or a malformed one.
 * Times that name no zone are read in the calendar's own, else in the user's. Throws a ToolError for
 * a text that is no calendar, or one of too many events.
 */
export function readFeedText(text: string, userTimezone: string): FeedText {
  if (!/^\s*BEGIN:VCALENDAR\s/i.test(text)) {
    throw new ToolError(
      "The holiday calendar's address gives no iCalendar feed: its operator must check it.",
    );
  }
  const lines = text
    .replace(/\r?\n[ \t]/g, "")
    .split(/\r?\n/)
    .flatMap((line) => parseLine(line) ?? []);
  const calendar = (property: string) => lines.find(({ name }) => name === property)?.value.trim();
  const name = calendar("X-WR-CALNAME")?.slice(0, MAX_NAME_LENGTH);
  const calendarTimezone = calendar("X-WR-TIMEZONE");
  const timezone = calendarTimezone && isIana(calendarTimezone) ? calendarTimezone : userTimezone;
  return {
    ...(name && { name }),
    timezone,
    events: joinOverrides(readEvents(lines).filter(isUsable), timezone),
  };
}

/** A content line: `NAME;PARAMETER=VALUE:VALUE`. */
interface Line {
  readonly name: string;
  /** With the leading semicolons. */
  readonly parameters: string;
  readonly value: string;
}

interface Event {
  readonly uid: string | undefined;
  readonly lines: readonly Line[];
}

function readEvents(lines: readonly Line[]): Event[] {
  const events: Event[] = [];
  let current: { uid: string | undefined; lines: Line[] } | undefined;
  /** Components inside an event, such as its alarms. */
  let depth = 0;
  for (const line of lines) {
    const component = line.value.trim().toUpperCase();
    if (line.name === "BEGIN" && component === "VEVENT") {
      if (events.length === MAX_EVENTS) {
        throw new ToolError(`The holiday calendar has more than ${MAX_EVENTS} events: it can't be used.`);
      }
      current = { uid: undefined, lines: [] };
      events.push(current);
      depth = 0;
    } else if (line.name === "BEGIN") {
      depth++;
    } else if (line.name === "END" && component === "VEVENT") {
      current = undefined;
    } else if (line.name === "END") {
      depth--;
    } else if (current !== undefined && depth === 0) {
      if (line.name === "UID") current.uid = line.value;
      // Of what may come once alone, the first counts.
      const isKept = KEPT_PROPERTIES.has(line.name) && (line.name === "EXDATE" || !has(current, line.name));
      if (isKept) current.lines.push(line);
    }
  }
  return events;
}

function parseLine(text: string): Line | undefined {
  const match = /^([\w-]+)((?:;[\w-]+=(?:"[^"]*"|[^":;]*))*):(.*)$/.exec(text);
  if (match === null) return undefined;
  const [, name = "", parameters = "", value = ""] = match;
  return { name: name.toUpperCase(), parameters, value };
}

function isUsable({ lines }: Event): boolean {
  const values = (name: string) => lines.filter((line) => line.name === name).map(({ value }) => value);
  const exceptions = values("EXDATE").reduce((sum, value) => sum + value.split(",").length, 0);
  return (
    values("DTSTART").some((start) => /^\d{8}(T\d{6}Z?)?$/.test(start)) &&
    values("RRULE").every(isDailyOrRarer) &&
    exceptions <= MAX_EXCEPTIONS
  );
}

/** RFC 7529's calendars (RSCALE) are left out for their cost; lists of times make many a day. */
function isDailyOrRarer(rule: string): boolean {
  const parts = new Map(
    rule.split(";").map((part) => {
      const [name = "", value = ""] = part.toUpperCase().split("=");
      return [name, value] as const;
    }),
  );
  const isOnceADay = ["BYHOUR", "BYMINUTE", "BYSECOND"].every((name) => !parts.get(name)?.includes(","));
  return (
    ["YEARLY", "MONTHLY", "WEEKLY", "DAILY"].includes(parts.get("FREQ") ?? "") &&
    isOnceADay &&
    !parts.has("RSCALE")
  );
}

/**
 * The VEVENTs with a RECURRENCE-ID override occurrences of the recurring one of the same UID. Any
 * other is an event of its own, whatever its UID: there are feeds that use one for all.
 */
function* joinOverrides(events: readonly Event[], timezone: string): Generator<string> {
  const isOverride = (event: Event) => has(event, "RECURRENCE-ID");
  const recurring = new Map(
    events.filter((event) => has(event, "RRULE") && !isOverride(event)).map((event) => [event.uid, event]),
  );
  const overrides = Map.groupBy(events.filter(isOverride), ({ uid }) => recurring.get(uid));
  for (const event of overrides.get(undefined) ?? []) yield writeEvent(event, timezone, "RECURRENCE-ID");
  for (const event of events.filter((event) => !isOverride(event))) {
    const parts = [event, ...(overrides.get(event) ?? [])];
    if (parts.length <= MAX_EXCEPTIONS) yield parts.map((part) => writeEvent(part, timezone)).join("\r\n");
  }
}

function has({ lines }: Pick<Event, "lines">, name: string): boolean {
  return lines.some((line) => line.name === name);
}

function writeEvent({ lines }: Event, timezone: string, leftOut?: string): string {
  const content = lines
    .filter(({ name }) => name !== leftOut)
    .map((line) => `${line.name}${parametersOf(line, timezone)}:${line.value}`);
  return ["BEGIN:VEVENT", "UID:event", ...content, "END:VEVENT"].join("\r\n");
}

/** A local time without a zone, or in one that only this feed knows, is read in `timezone`. */
function parametersOf({ name, parameters, value }: Line, timezone: string): string {
  if (!DATE_PROPERTIES.has(name)) return "";
  if (/^\d{8}(,|$)/.test(value)) return ";VALUE=DATE";
  if (!/^\d{8}T\d{6}(,|$)/.test(value)) return "";
  const named = /;TZID="?([^";]+)/i.exec(parameters)?.[1];
  const isKnown = named !== undefined && (isIana(named) || WINDOWS_ZONE.test(named));
  return `;TZID=${isKnown ? named : timezone}`;
}

/** Such as "Romance Standard Time", which Outlook writes. */
const WINDOWS_ZONE = / Standard Time$/;

function isIana(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    return true;
  } catch {
    return false;
  }
}
