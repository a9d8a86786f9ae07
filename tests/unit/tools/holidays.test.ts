import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { ToolError } from "../../../src/core/assistant/tool.ts";
import type { HolidayQuery, HolidaySource } from "../../../src/tools/calendar/holiday-source.ts";
import { dateHolidays, type HolidayPlace, holidaysTool } from "../../../src/tools/calendar/index.ts";
import { complaints, runTool } from "../../support/run-tool.ts";

const tool = holidaysTool({ source: dateHolidays(), place: { country: "ES", region: "CT" } });

interface Result {
  place: Record<string, string>;
  holidays: { date: string; end_date?: string; weekday: string; name: string; type?: string }[];
  more: boolean;
}

async function find(args: unknown): Promise<Result> {
  return runTool<Result>(tool, args);
}

describe("get_holidays from date-holidays", () => {
  test("answers for the default place, from today for a year", async () => {
    expect(await find({ max_count: 2 })).toEqual({
      place: { country: "ES", country_name: "Spain", region: "CT", region_name: "Catalonia" },
      after_date: "2026-08-01",
      before_date: "2027-08-01",
      holidays: [
        { date: "2026-08-15", weekday: "Saturday", name: "Assumption", type: "public" },
        { date: "2026-09-11", weekday: "Friday", name: "Dia de Cataluña", type: "public" },
      ],
      more: true,
      source: "date-holidays",
    });
  });

  test("today is the user's, not the server's", async () => {
    const lateInAuckland = { now: Date.parse("2026-08-01T12:30:00Z"), timezone: "Pacific/Auckland" };
    expect(await runTool(tool, {}, lateInAuckland)).toMatchObject({ after_date: "2026-08-02" });
  });

  test("both bounds are inclusive", async () => {
    const day = await find({ country: "ES", after_date: "2026-12-25", before_date: "2026-12-25" });
    expect(day.holidays.map(({ name }) => name)).toEqual(["Christmas Day"]);
    expect(day.more).toBe(false);
    const between = await find({ country: "ES", after_date: "2026-12-26", before_date: "2026-12-31" });
    expect(between.holidays).toEqual([]);
  });

  test("a country asked for without a region means the whole country", async () => {
    const { place, holidays } = await find({
      country: "Spain",
      after_date: "2026-09-01",
      before_date: "2026-09-30",
    });
    expect(place).toEqual({ country: "ES", country_name: "Spain" });
    expect(holidays).toEqual([]);
  });

  test.each([
    [
      { country: "Spain", region: "Catalonia" },
      { country: "ES", region: "CT" },
    ],
    [{ region: "Cataluña" }, { country: "ES", region: "CT" }],
    [
      { country: "es", region: "ES-CT" },
      { country: "ES", region: "CT" },
    ],
    [
      { country: "ES", region: "Barcelona" },
      { country: "ES", region: "CT-B", region_name: "Barcelona" },
    ],
    [
      { country: "ES", region: "Madrid" },
      { country: "ES", region: "MD" },
    ],
    [
      { country: "UK", region: "Scotland" },
      { country: "GB", region: "SCT" },
    ],
    [
      { country: "u.s.a.", region: "california" },
      { country: "US", region: "CA" },
    ],
    [{ country: "Türkiye" }, { country: "TR" }],
    [{ country: "Turkey" }, { country: "TR" }],
  ])("%j is understood", async (args, place) => {
    expect((await find(args)).place).toMatchObject(place);
  });

  test.each([
    [{ country: "Germny" }, /country 'Germny'\. Did you mean Germany\?/],
    [{ country: "Scotland" }, /give country 'GB' and region 'SCT'/],
    [{ country: "Atlantis" }, /ISO 3166-1 code such as 'ES'/],
    [{ country: "ES", region: "Bavaria" }, /There is: AN \(Andalucía\).* CT \(Catalonia\)/],
    [{ country: "ES", region: "Castile" }, /There is: CL \(Castile and León\), CM \(Castile-La Mancha\)\./],
    [{ country: "PT", region: "Lisbon" }, /No regions of Portugal are known: leave region out/],
    [{ after_date: "2027-01-01", before_date: "2026-12-31" }, /2026-12-31 is before after_date 2027-01-01/],
    [{ before_date: "2020-01-01" }, /is before today, 2026-08-01: give after_date too/],
    [{ after_date: "2026-01-01", before_date: "2036-01-02" }, /more than 10 years/],
  ])("%j fails in words", async (args, words) => {
    const attempt = find(args);
    await expect(attempt).rejects.toThrow(words);
    await expect(attempt).rejects.toBeInstanceOf(ToolError);
  });

  test("a holiday of several days has an end, and counts while it lasts", async () => {
    const eid = { date: "2026-05-27", end_date: "2026-05-30", weekday: "Wednesday" };
    for (const day of ["2026-05-27", "2026-05-30"]) {
      const { holidays } = await find({ country: "TR", after_date: day, before_date: day });
      expect(holidays).toMatchObject([eid]);
    }
    const { holidays } = await find({ country: "TR", after_date: "2026-05-31", before_date: "2026-06-30" });
    expect(holidays).toEqual([]);
  });

  test("one that begins in the year before reaches into this one", async () => {
    const { holidays } = await find({ country: "SZ", after_date: "2027-01-02", before_date: "2027-01-02" });
    expect(holidays).toMatchObject([{ date: "2026-12-28", end_date: "2027-01-02" }]);
  });

  test("a day on which the clocks change is one day", async () => {
    const { holidays } = await find({ country: "AU", after_date: "2026-04-05", before_date: "2026-04-05" });
    expect(holidays.map(({ end_date }) => end_date)).toEqual([undefined]);
  });

  test("bank holidays come with their type, observances do not come", async () => {
    const december = { country: "DE", after_date: "2026-12-20", before_date: "2026-12-31" };
    const { holidays } = await find(december);
    expect(holidays.map(({ date, type }) => `${date} ${type}`)).toEqual([
      "2026-12-24 bank",
      "2026-12-25 public",
      "2026-12-26 public",
      "2026-12-31 bank",
    ]);
  });

  test("without any place the user's locale names the country", async () => {
    const homeless = holidaysTool({ source: dateHolidays() });
    expect(await runTool(homeless, {}, { locale: "pt-BR" })).toMatchObject({ place: { country: "BR" } });
    await expect(runTool(homeless, {}, { locale: "en" })).rejects.toThrow(/Say which country/);
  });
});

describe("the arguments of get_holidays", () => {
  test.each([
    [{ after_date: "2026-02-30" }, "after_date must be a real date as YYYY-MM-DD, such as 2026-12-25"],
    [{ after_date: "2025-02-29" }, "after_date must be a real date as YYYY-MM-DD, such as 2026-12-25"],
    [{ before_date: "next May" }, "before_date must be a real date as YYYY-MM-DD, such as 2026-12-25"],
    [{ before_date: "2026-1-1" }, "before_date must be a real date as YYYY-MM-DD, such as 2026-12-25"],
    [
      { before_date: "2026-01-01T10:00" },
      "before_date must be a real date as YYYY-MM-DD, such as 2026-12-25",
    ],
    [{ after_date: "1066-10-14" }, "after_date must be in the years 1900 to 2100"],
    [{ max_count: 51 }, "max_count must be at most 50; ask again from a later after_date for more"],
    [{ max_count: 0 }, "max_count must be at least 1"],
    [{ country: "" }, "country must not be empty; leave it out instead"],
    [{ year: 2027 }, 'Unrecognized key: "year"'],
  ])("%j is refused with what to mend", (args, complaint) => {
    expect(complaints(tool, args)).toEqual([complaint]);
  });

  test("the schema is a flat object for a model", () => {
    const schema = z.toJSONSchema(tool.schema);
    expect(schema).toMatchObject({ type: "object", additionalProperties: false });
    expect(schema).not.toHaveProperty("required");
    expect(schema).not.toHaveProperty("anyOf");
  });
});

describe("the operator's calendar", () => {
  function sourceCalled(name: string) {
    const queries: HolidayQuery[] = [];
    const source: HolidaySource = {
      name,
      async find(query) {
        queries.push(query);
        return {
          place: query.place,
          holidays: [
            { date: "2026-12-25", name: "Christmas Day" },
            { date: "2026-10-12", name: "B" },
            { date: "2026-10-12", name: "A" },
            { date: "2026-12-25", name: "Christmas day" },
          ],
        };
      },
    };
    return source;
  }

  function toolFor(place?: HolidayPlace) {
    const { isSame } = dateHolidays();
    const source = { ...sourceCalled("any place"), isSame };
    return holidaysTool({ source, feed: sourceCalled("feed"), place });
  }

  test.each<[unknown, string]>([
    [{}, "feed"],
    [{ country: "ES" }, "feed"],
    [{ country: "Spain" }, "feed"],
    [{ country: "Spain", region: "ct" }, "feed"],
    [{ region: "CT" }, "feed"],
    [{ country: "Spain", region: "Catalonia" }, "feed"],
    [{ region: "Cataluña" }, "feed"],
    [{ region: "Atlantis" }, "any place"],
    [{ country: "France" }, "any place"],
    [{ country: "ES", region: "Madrid" }, "any place"],
    [{ region: "MD" }, "any place"],
  ])("asked for %j, the answer comes from: %s", async (args, source) => {
    expect(await runTool(toolFor({ country: "ES", region: "CT" }), args)).toMatchObject({ source });
  });

  test("a feed without a place answers when no place is asked for", async () => {
    expect(await runTool(toolFor(), {})).toMatchObject({ source: "feed", place: {} });
    expect(await runTool(toolFor(), { country: "ES" })).toMatchObject({ source: "any place" });
  });

  test("holidays come sorted and each once", async () => {
    const { holidays } = await runTool<Result>(toolFor(), {});
    expect(holidays.map(({ date, name }) => `${date} ${name.toLowerCase()}`)).toEqual([
      "2026-10-12 a",
      "2026-10-12 b",
      "2026-12-25 christmas day",
    ]);
  });
});
