import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "@jest/globals";
import { ToolError } from "../../../src/core/assistant/tool.ts";

import { dateHolidays, holidaysTool, icalFeed } from "../../../src/tools/calendar/index.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";
import { localOutbound } from "../../support/outbound.ts";
import { runTool } from "../../support/run-tool.ts";

const { http } = localOutbound();

const OFFICE_CLOSURES = readFileSync(
  new URL("../../fixtures/tools/calendar/office-closures.ics", import.meta.url),
  "utf8",
);

interface Result {
  place: Record<string, string>;
  holidays: { date: string; end_date?: string; weekday: string; name: string }[];
  more: boolean;
  source: string;
}

let servers: LocalServer[] = [];
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  servers = [];
});

function requestedPaths(): string[] {
  return servers.flatMap(({ requests }) => requests.map(({ pathname }) => pathname));
}

async function toolOver(
  body: string,
  { status = 200, maxBytes }: { status?: number; maxBytes?: number } = {},
) {
  const server = await localServer((_url, response) => {
    response.writeHead(status, { "content-type": "text/calendar; charset=utf-8" }).end(body);
  });
  servers.push(server);
  const feed = icalFeed({ http, url: `${server.url}/private-t0ken/basic.ics`, maxBytes });
  return holidaysTool({ source: dateHolidays(), feed, place: { country: "ES" } });
}

/** A feed of these VEVENTs; each has a UID unless it brings one. */
function feedOf(...events: string[][]): string {
  const components = events.flatMap((lines, index) => [
    "BEGIN:VEVENT",
    ...(lines.some((line) => line.startsWith("UID:")) ? [] : [`UID:${index}@example.org`]),
    ...(lines.some((line) => line.startsWith("SUMMARY")) ? [] : ["SUMMARY:Day off"]),
    ...lines,
    "END:VEVENT",
  ]);
  return ["BEGIN:VCALENDAR", "VERSION:2.0", ...components, "END:VCALENDAR", ""].join("\r\n");
}

async function datesOf(body: string, args: Record<string, unknown> = {}, context = {}): Promise<string[]> {
  const { holidays } = await runTool<Result>(await toolOver(body), { max_count: 50, ...args }, context);
  return holidays.map(({ date, end_date }) => (end_date === undefined ? date : `${date}..${end_date}`));
}

describe("an iCalendar feed", () => {
  test("gives recurring, moved, long and timed events; not cancelled ones, nor alarms", async () => {
    const tool = await toolOver(OFFICE_CLOSURES);
    expect(await runTool(tool, { before_date: "2028-12-31", max_count: 20 })).toEqual({
      place: { country: "ES", calendar: "Office closures" },
      after_date: "2026-08-01",
      before_date: "2028-12-31",
      holidays: [
        { date: "2026-08-03", end_date: "2026-08-14", weekday: "Monday", name: "Summer closure" },
        { date: "2026-11-01", weekday: "Sunday", name: "All Saints' Day" },
        { date: "2026-12-24", weekday: "Thursday", name: "Evening off" },
        { date: "2027-01-01", weekday: "Friday", name: "New Year's Day" },
        { date: "2027-06-18", weekday: "Friday", name: "Founders' Day (moved)" },
      ],
      more: false,
      source: "iCalendar",
    });
    expect(requestedPaths()).toEqual(["/private-t0ken/basic.ics"]);
  });

  test("an event that has begun counts while it lasts, and its last day is inclusive", async () => {
    expect(await datesOf(OFFICE_CLOSURES, { after_date: "2026-08-14", before_date: "2026-08-20" })).toEqual([
      "2026-08-03..2026-08-14",
    ]);
    expect(await datesOf(OFFICE_CLOSURES, { after_date: "2026-08-15", before_date: "2026-08-20" })).toEqual(
      [],
    );
  });

  test("another country is answered without the feed", async () => {
    const tool = await toolOver(OFFICE_CLOSURES);
    expect(await runTool(tool, { country: "France" })).toMatchObject({
      place: { country: "FR" },
      source: "date-holidays",
    });
    expect(requestedPaths()).toEqual([]);
  });

  test.each([
    ["every 4th Thursday of November", "20200101", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", ["2026-11-26"]],
    ["the last Monday of May", "20200525", "FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO", ["2027-05-31"]],
    ["29 February", "20240229", "FREQ=YEARLY", []],
    ["until a day, inclusive", "20250910", "FREQ=YEARLY;UNTIL=20260910", ["2026-09-10"]],
    ["a count that is used up", "20240910", "FREQ=YEARLY;COUNT=2", []],
  ])("%s", async (_rule, start, rule, dates) => {
    expect(await datesOf(feedOf([`DTSTART;VALUE=DATE:${start}`, `RRULE:${rule}`]))).toEqual(dates);
  });

  test.each([
    ["UTC, in the user's zone", "DTSTART:20261231T233000Z", "2027-01-01"],
    ["no zone: as written", "DTSTART:20261231T233000", "2026-12-31"],
    ["its own zone: as written", "DTSTART;TZID=Asia/Tokyo:20261231T003000", "2026-12-31"],
    ["Outlook's zone name", "DTSTART;TZID=Romance Standard Time:20261231T003000", "2026-12-31"],
    ["a zone that nobody knows", 'DTSTART;TZID="Atlantis/Capital":20261231T233000', "2026-12-31"],
  ])("a time in %s", async (_zone, start, date) => {
    expect(await datesOf(feedOf([start]))).toEqual([date]);
  });

  test("a time that recurs keeps its day over a change of clocks", async () => {
    const event = ["DTSTART;TZID=Europe/Madrid:20261001T003000", "RRULE:FREQ=MONTHLY;COUNT=3"];
    const zoneless = ["DTSTART:20261002T003000", "RRULE:FREQ=MONTHLY;COUNT=3"];
    expect(await datesOf(feedOf(event, zoneless))).toEqual([
      "2026-10-01",
      "2026-10-02",
      "2026-11-01",
      "2026-11-02",
      "2026-12-01",
      "2026-12-02",
    ]);
  });

  test("an excluded moment in UTC matches one in a zone", async () => {
    const event = [
      "DTSTART;TZID=Europe/Madrid:20261001T003000",
      "RRULE:FREQ=MONTHLY;COUNT=3",
      "EXDATE:20261031T233000Z",
    ];
    expect(await datesOf(feedOf(event))).toEqual(["2026-10-01", "2026-12-01"]);
  });

  test("an override without a name keeps the name of its series", async () => {
    const series = ["UID:s", "SUMMARY:Founders", "DTSTART;VALUE=DATE:20260901", "RRULE:FREQ=YEARLY;COUNT=1"];
    const override = "UID:s|RECURRENCE-ID;VALUE=DATE:20260901|DTSTART;VALUE=DATE:20260903".split("|");
    const body = feedOf(series, override).replace("SUMMARY:Day off\r\n", "");
    const { holidays } = await runTool<Result>(await toolOver(body), {});
    expect(holidays).toMatchObject([{ date: "2026-09-03", name: "Founders" }]);
  });

  test("of a property that comes twice the first counts", async () => {
    const event = ["DTSTART;VALUE=DATE:20260902", "DTSTART;VALUE=DATE:20260903", "SUMMARY:20260904"];
    expect(await datesOf(feedOf(event))).toEqual(["2026-09-02"]);
  });

  test("an override whose series is not in the feed is an event of its own", async () => {
    const orphan = ["UID:gone", "RECURRENCE-ID;VALUE=DATE:20260901", "DTSTART;VALUE=DATE:20260902"];
    expect(await datesOf(feedOf(orphan))).toEqual(["2026-09-02"]);
  });

  test("events that share one UID are all there", async () => {
    const events = ["20260901", "20260902"].map((date) => ["UID:same", `DTSTART;VALUE=DATE:${date}`]);
    expect(await datesOf(feedOf(...events))).toEqual(["2026-09-01", "2026-09-02"]);
  });

  test("a cancelled series takes its overrides with it", async () => {
    const series = ["UID:s", "DTSTART;VALUE=DATE:20260901", "RRULE:FREQ=YEARLY", "STATUS:CANCELLED"];
    const override = ["UID:s", "RECURRENCE-ID;VALUE=DATE:20260901", "DTSTART;VALUE=DATE:20260902"];
    expect(await datesOf(feedOf(series, override))).toEqual([]);
  });

  test("a name is one line of bounded length", async () => {
    const tool = await toolOver(
      feedOf(["DTSTART;VALUE=DATE:20260901", `SUMMARY:Long\\n${"name ".repeat(1000)}`]),
    );
    const { holidays } = await runTool<Result>(tool, {});
    expect(holidays).toMatchObject([{ name: expect.stringMatching(/^Long name name [^\n]{1,190}$/) }]);
  });
});

describe("a feed that can't be had fails in words", () => {
  test.each([
    ["a status", { body: "gone", status: 404 }, /can't be had right now \(status 404\)/],
    ["a redirect", { body: "", status: 302 }, /status 302/],
    ["a page", { body: "<!doctype html><title>Sign in</title>" }, /gives no iCalendar feed/],
    ["nothing", { body: "" }, /gives no iCalendar feed/],
    ["too many bytes", { body: feedOf(["X:".padEnd(5000, "x")]), maxBytes: 4096 }, /longer than 4096 bytes/],
  ])("%s", async (_what, { body, ...options }, words) => {
    const attempt = runTool(await toolOver(body, options), {});
    await expect(attempt).rejects.toBeInstanceOf(ToolError);
    await expect(attempt).rejects.toThrow(words);
    await expect(attempt).rejects.not.toThrow(/t0ken/);
  });

  test("an unreachable server", async () => {
    const tool = await toolOver("");
    await Promise.all(servers.map((server) => server.close()));
    servers = [];
    await expect(runTool(tool, {})).rejects.toThrow("The holiday calendar can't be reached right now.");
  });
});

describe("a hostile feed is bounded", () => {
  const lists = (count: number) => Array.from({ length: count }, (_, index) => index).join(",");

  test.each([
    ["every second", "FREQ=SECONDLY"],
    ["every second, in small letters", "freq=secondly"],
    ["every minute of a year", `FREQ=YEARLY;BYHOUR=${lists(24)};BYMINUTE=${lists(60)}`],
    ["hourly, in a strange order", "COUNT=9;FREQ=HOURLY"],
    ["two frequencies", "FREQ=DAILY;FREQ=SECONDLY"],
    ["another calendar", "FREQ=YEARLY;RSCALE=CHINESE;BYMONTH=13"],
    ["a count beyond the library's bound", "FREQ=DAILY;COUNT=100000000"],
    ["a rule that is none", "FREQ=NEVER"],
    ["a day that never comes", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"],
  ])("a rule of %s makes no holiday, the others stay", async (_what, rule) => {
    const hostile = ["DTSTART;VALUE=DATE:19000101", `RRULE:${rule}`];
    expect(await datesOf(feedOf(hostile, ["DTSTART;VALUE=DATE:20260901"]))).toEqual(["2026-09-01"]);
  });

  test.each([
    ["no start", ["SUMMARY:x"]],
    ["no name", ["DTSTART;VALUE=DATE:20260902", "SUMMARY:"]],
    ["a start that is no date", ["DTSTART:tomorrow", "RRULE:FREQ=DAILY"]],
    ["a duration without end", ["DTSTART;VALUE=DATE:20260902", "RRULE:FREQ=DAILY", "DURATION:P9999999999W"]],
    [
      "thousands of exceptions",
      [
        "DTSTART;VALUE=DATE:20260902",
        "RRULE:FREQ=DAILY",
        `EXDATE;VALUE=DATE:${Array(5000).fill("20260902").join(",")}`,
      ],
    ],
  ])("an event of %s makes no holiday, the others stay", async (_what, hostile) => {
    expect(await datesOf(feedOf(hostile, ["DTSTART;VALUE=DATE:20260901"]))).toEqual(["2026-09-01"]);
  });

  test("too many events are an error", async () => {
    const events = Array.from({ length: 5001 }, () => ["DTSTART;VALUE=DATE:20260901"]);
    await expect(datesOf(feedOf(...events))).rejects.toThrow(/more than 5000 events/);
  });

  test("too many occurrences are an error", async () => {
    const events = Array.from({ length: 5 }, () => ["DTSTART;VALUE=DATE:20200101", "RRULE:FREQ=DAILY"]);
    const tenYears = { after_date: "2026-01-01", before_date: "2036-01-01" };
    await expect(datesOf(feedOf(...events), tenYears)).rejects.toThrow(/more than 10000 events in that time/);
  });

  test("an abort ends the expansion", async () => {
    const controller = new AbortController();
    const body = feedOf(...Array.from({ length: 5000 }, () => ["DTSTART;VALUE=DATE:20260901"]));
    const http = { get: async () => ({ status: 200, headers: {}, body }) };
    const found = icalFeed({ http, url: "https://calendar.example/feed.ics" }).find({
      place: {},
      from: "2026-01-01",
      to: "2026-12-31",
      timezone: "UTC",
      signal: controller.signal,
    });
    const reason = new Error("deadline");
    controller.abort(reason);
    await expect(found).rejects.toBe(reason);
  });

  test("hostile names do not reach the prototype of anything", async () => {
    const events = ["__proto__", "constructor"].map((uid) => [`UID:${uid}`, "DTSTART;VALUE=DATE:20260901"]);
    expect(await datesOf(feedOf(...events))).toEqual(["2026-09-01"]);
    expect(({} as Record<string, unknown>).type).toBeUndefined();
  });
});
