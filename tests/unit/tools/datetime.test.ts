import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { z } from "zod";
import { ToolError } from "../../../src/core/assistant/tool.ts";
import { dateMathTool, datetimeTool } from "../../../src/tools/datetime/index.ts";
import { complaints, runTool } from "../../support/run-tool.ts";

const getDatetime = datetimeTool();
const dateMath = dateMathTool();

describe("get_datetime", () => {
  test("gives now in the user's zone", async () => {
    expect(await runTool(getDatetime, {})).toEqual({
      timezone: "Europe/Madrid",
      datetime: "2026-08-01T14:05:09+02:00",
      date: "2026-08-01",
      time: "14:05",
      weekday: "Saturday",
      utc_offset: "+02:00",
    });
  });

  test.each([
    ["Pacific/Auckland", "2026-08-02T00:05:09+12:00", "Sunday"],
    ["america/st_johns", "2026-08-01T09:35:09-02:30", "Saturday"],
    ["Asia/Kolkata", "2026-08-01T17:35:09+05:30", "Saturday"],
    ["utc", "2026-08-01T12:05:09+00:00", "Saturday"],
  ])("gives now in %s", async (timezone, datetime, weekday) => {
    expect(await runTool(getDatetime, { timezone })).toMatchObject({ datetime, weekday });
  });

  test.each([
    [
      "the moment before its clocks go forward",
      "2026-03-29T00:59:59.999Z",
      "2026-03-29T01:59:59+01:00",
      "Sunday",
    ],
    ["that moment", "2026-03-29T01:00:00.000Z", "2026-03-29T03:00:00+02:00", "Sunday"],
    ["the moment before they go back", "2026-10-25T00:59:59.999Z", "2026-10-25T02:59:59+02:00", "Sunday"],
    [
      "that moment, which shows the hour again",
      "2026-10-25T01:00:00.000Z",
      "2026-10-25T02:00:00+01:00",
      "Sunday",
    ],
    [
      "a Monday that is still a Sunday in UTC",
      "2026-10-25T23:30:00.000Z",
      "2026-10-26T00:30:00+01:00",
      "Monday",
    ],
  ])("follows its zone's clocks: %s", async (_, now, datetime, weekday) => {
    const shown = await runTool(getDatetime, {}, { now: Date.parse(now) });
    expect(shown).toMatchObject({ datetime, weekday, utc_offset: datetime.slice(19) });
  });

  test.each([
    ["Madrid", /no time zone 'Madrid'.*IANA name such as 'Europe\/Madrid'; did you mean 'Europe\/Madrid'\?$/],
    ["Europe/Madird", /did you mean 'Europe\/Madrid'/],
    ["New York", /did you mean 'America\/New_York'/],
    ["GMT+2", /IANA name such as 'Europe\/Madrid'/],
    ["Middle-earth/Shire", /IANA name such as 'Europe\/Madrid'\.$/],
  ])("an unknown zone, %s, fails with what to mend", async (timezone, words) => {
    const attempt = runTool(getDatetime, { timezone });
    await expect(attempt).rejects.toBeInstanceOf(ToolError);
    await expect(attempt).rejects.toThrow(words);
  });
});

describe("date_math", () => {
  test.each([
    [{ date: "2026-01-31", months: 1 }, "2026-02-28", "Saturday"],
    [{ date: "2024-01-31", months: 1 }, "2024-02-29", "Thursday"],
    [{ date: "2024-02-29", years: 1 }, "2025-02-28", "Friday"],
    [{ date: "2024-02-28", days: 1 }, "2024-02-29", "Thursday"],
    [{ date: "2025-02-28", days: 1 }, "2025-03-01", "Saturday"],
    [{ date: "2026-12-31", weeks: 1, days: 1 }, "2027-01-08", "Friday"],
    [{ days: 1 }, "2026-08-02", "Sunday"],
  ])("add %j", async (args, result, weekday) => {
    expect(await runTool(dateMath, { operation: "add", ...args })).toEqual({ result, weekday });
  });

  test.each([
    [{ date: "2026-03-31", months: 1 }, "2026-02-28"],
    [{ date: "2024-02-29", years: 4 }, "2020-02-29"],
    [{ weeks: 2 }, "2026-07-18"],
  ])("subtract %j", async (args, result) => {
    expect(await runTool(dateMath, { operation: "subtract", ...args })).toMatchObject({ result });
  });

  test("hours and minutes without a date count from now", async () => {
    expect(await runTool(dateMath, { operation: "add", hours: 10, minutes: 5 })).toEqual({
      result: "2026-08-02T00:10:09+02:00",
      timezone: "Europe/Madrid",
      weekday: "Sunday",
    });
  });

  test("hours of a bare day count from its start", async () => {
    const args = { operation: "add", date: "2026-08-01", hours: 25, timezone: "UTC" };
    expect(await runTool(dateMath, args)).toMatchObject({ result: "2026-08-02T01:00:00+00:00" });
  });

  // In Madrid the clocks go from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October.
  test.each([
    ["a day keeps the time of day", { date: "2026-03-28T12:00", days: 1 }, "2026-03-29T12:00:00+02:00"],
    ["24 hours do not", { date: "2026-03-28T12:00", hours: 24 }, "2026-03-29T13:00:00+02:00"],
    ["hours pass over the gap", { date: "2026-03-29T01:30", hours: 1 }, "2026-03-29T03:30:00+02:00"],
    ["hours pass the repeated hour", { date: "2026-10-25T01:30", hours: 2 }, "2026-10-25T02:30:00+01:00"],
  ])("over a change of clocks %s", async (_what, args, result) => {
    expect(await runTool(dateMath, { operation: "add", ...args })).toEqual({
      result,
      timezone: "Europe/Madrid",
      weekday: "Sunday",
    });
  });

  test.each([
    [
      "a time that does not exist",
      { operation: "add", date: "2026-03-29T02:30", minutes: 0 },
      "2026-03-29T03:30:00+02:00",
      "02:30 on 2026-03-29 does not exist in Europe/Madrid: the clocks go forward. 03:30 was used.",
    ],
    [
      "a time that exists twice",
      { operation: "add", date: "2026-10-25T02:30", minutes: 0 },
      "2026-10-25T02:30:00+02:00",
      "02:30 on 2026-10-25 happens twice in Europe/Madrid: the clocks go back. The first, at UTC+02:00, was used.",
    ],
    [
      "a result that does not exist",
      { operation: "add", date: "2026-03-28T02:30", days: 1 },
      "2026-03-29T03:30:00+02:00",
      "02:30 on 2026-03-29 does not exist in Europe/Madrid: the clocks go forward. 03:30 was used.",
    ],
    [
      "a result that exists twice",
      { operation: "subtract", date: "2026-10-26T02:30", days: 1 },
      "2026-10-25T02:30:00+02:00",
      "02:30 on 2026-10-25 happens twice in Europe/Madrid: the clocks go back. The first, at UTC+02:00, was used.",
    ],
  ])("%s is noted", async (_what, args, result, note) => {
    expect(await runTool(dateMath, args)).toMatchObject({ result, note });
  });

  test.each([
    ["2026-08-01", "2026-12-25", 146, 20, 6],
    ["2026-12-25", "2026-08-01", -146, -20, -6],
    ["2024-02-28", "2024-03-01", 2, 0, 2],
    ["2026-03-28T23:00", "2026-03-30T01:00", 2, 0, 2],
  ])("from %s to %s are %i days", async (date, to_date, days, weeks, remaining_days) => {
    expect(await runTool(dateMath, { operation: "days_between", date, to_date })).toEqual({
      date: date.slice(0, 10),
      to_date: to_date.slice(0, 10),
      days,
      weeks,
      remaining_days,
    });
  });

  test("days_between counts from today when no date is given", async () => {
    const args = { operation: "days_between", to_date: "2026-08-01" };
    const lateInMadrid = { now: Date.parse("2026-07-31T22:30:00Z") };
    expect(await runTool(dateMath, args, lateInMadrid)).toMatchObject({ days: 0 });
  });

  test("weekday", async () => {
    expect(await runTool(dateMath, { operation: "weekday", date: "1969-07-20" })).toEqual({
      date: "1969-07-20",
      weekday: "Sunday",
    });
  });

  test.each([
    ["Saturday", undefined, "2026-08-08"],
    ["Sunday", undefined, "2026-08-02"],
    ["Friday", "2026-12-25", "2027-01-01"],
  ])("the next %s after %s", async (weekday, date, next) => {
    expect(await runTool(dateMath, { operation: "next_weekday", weekday, date })).toEqual({
      date: next,
      weekday,
    });
  });

  test("converts between zones, over the date line and a day's change", async () => {
    const args = { operation: "convert", date: "2026-08-01T21:00", timezone: "America/New_York" };
    expect(await runTool(dateMath, { ...args, to_timezone: "asia/tokyo" })).toEqual({
      datetime: "2026-08-02T10:00:00+09:00",
      timezone: "Asia/Tokyo",
      weekday: "Sunday",
    });
  });

  test("converts now when no date is given, and notes a time that does not exist", async () => {
    expect(await runTool(dateMath, { operation: "convert", to_timezone: "UTC" })).toMatchObject({
      datetime: "2026-08-01T12:05:09+00:00",
    });
    const skipped = { operation: "convert", date: "2026-03-29T02:30", to_timezone: "UTC" };
    expect(await runTool(dateMath, skipped)).toMatchObject({
      datetime: "2026-03-29T01:30:00+00:00",
      note: expect.stringContaining("does not exist"),
    });
  });

  test.each([
    [
      { operation: "add" },
      "Say how much to add: give one or more of years, months, weeks, days, hours, minutes.",
    ],
    [{ operation: "days_between" }, "to_date is needed for this operation: the day to count to."],
    [{ operation: "next_weekday" }, "weekday is needed for this operation: such as 'Friday'."],
    [{ operation: "convert" }, "to_timezone is needed for this operation: such as 'Asia/Tokyo'."],
    [
      { operation: "convert", date: "2026-01-01", to_timezone: "UTC" },
      "date needs a time for convert: YYYY-MM-DDTHH:MM.",
    ],
    [{ operation: "add", date: "9999-12-31", days: 1 }, "The result is not in the years 1 to 9999."],
    [{ operation: "subtract", years: 2026 }, "The result is not in the years 1 to 9999."],
    [{ operation: "add", years: 1e12 }, "The result is not in the years 1 to 9999."],
    [{ operation: "add", minutes: 2 ** 52 }, "The result is not in the years 1 to 9999."],
    [
      { operation: "convert", date: "9999-12-31T23:59", timezone: "UTC", to_timezone: "Asia/Tokyo" },
      "The result is not in the years 1 to 9999.",
    ],
  ])("%j fails in words", async (args, words) => {
    const attempt = runTool(dateMath, args);
    await expect(attempt).rejects.toBeInstanceOf(ToolError);
    await expect(attempt).rejects.toThrow(words);
  });

  const notADate =
    "date must be a real date as YYYY-MM-DD, or with a time as YYYY-MM-DDTHH:MM; the time zone goes into timezone";
  test.each([
    [{ date: "2026-02-30" }, notADate],
    [{ date: "2026-01-01T24:00" }, notADate],
    [{ date: "2026-01-01T10:00+02:00" }, notADate],
    [{ date: "2026-01-01T10:00Z" }, notADate],
    [{ date: "0000-01-01" }, notADate],
    [{ date: "tomorrow" }, notADate],
    [{ days: -1 }, "days must be 0 or more; use operation 'subtract' to go back"],
    [{ days: 1.5 }, "days must be a whole number"],
  ])("%j is refused with what to mend", (args, complaint) => {
    expect(complaints(dateMath, { operation: "add", ...args })).toEqual([complaint]);
  });

  test("the schema is a flat object for a model", () => {
    const schema = z.toJSONSchema(dateMath.schema);
    expect(schema).toMatchObject({ type: "object", required: ["operation"], additionalProperties: false });
    expect(schema).not.toHaveProperty("anyOf");
  });
});

describe("properties of date_math", () => {
  const day = fc
    .date({ min: new Date("1000-01-01"), max: new Date("3000-01-01"), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10));
  const weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

  const daysBetween = async (date: string, to_date: string) =>
    (await runTool<{ days: number }>(dateMath, { operation: "days_between", date, to_date })).days;

  test("days added and subtracted again give the same day", async () => {
    await fc.assert(
      fc.asyncProperty(day, fc.nat(100_000), async (date, days) => {
        const there = await runTool<{ result: string }>(dateMath, { operation: "add", date, days });
        const back = await runTool(dateMath, { operation: "subtract", date: there.result, days });
        expect(back).toMatchObject({ result: date });
        expect(await daysBetween(date, there.result)).toBe(days);
      }),
    );
  });

  test("days between two days are as many the other way round", async () => {
    await fc.assert(
      fc.asyncProperty(day, day, async (from, to) => {
        expect((await daysBetween(from, to)) + (await daysBetween(to, from))).toBe(0);
      }),
    );
  });

  test("the next weekday is that weekday, 1 to 7 days ahead", async () => {
    await fc.assert(
      fc.asyncProperty(day, fc.constantFrom(...weekdays), async (date, weekday) => {
        const next = await runTool<{ date: string }>(dateMath, { operation: "next_weekday", date, weekday });
        const ahead = await daysBetween(date, next.date);
        expect(ahead >= 1 && ahead <= 7).toBe(true);
        expect(await runTool(dateMath, { operation: "weekday", date: next.date })).toMatchObject({ weekday });
      }),
    );
  });
});
