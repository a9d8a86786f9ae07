import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { choosePlace, splitLocation } from "../../../src/tools/weather/place-match.ts";
import { weatherTool } from "../../../src/tools/weather/tool.ts";
import type { UnitSystem, WeatherSource } from "../../../src/tools/weather/weather-source.ts";
import { conditionOf } from "../../../src/tools/weather/wmo-codes.ts";
import { complaints, runTool } from "../../support/run-tool.ts";

function recordingSource() {
  const asked: { days: number; units: UnitSystem }[] = [];
  const source: WeatherSource = {
    name: "a source",
    async report({ location, days, units }) {
      asked.push({ days, units });
      return {
        location: { name: location },
        observed_at: "2026-08-01T14:00",
        current: {
          condition: "Fog",
          temperature: 1,
          feels_like: 1,
          humidity_percent: 1,
          wind_speed: 1,
          precipitation: 1,
        },
        forecast: [],
      };
    },
  };
  return { tool: weatherTool({ source }), asked };
}

describe("get_weather", () => {
  test.each([
    ["en-US", "imperial"],
    ["es-US", "imperial"],
    ["my-MM", "imperial"],
    ["en-LR", "imperial"],
    ["en-GB", "metric"],
    ["es-ES", "metric"],
    ["en", "metric"],
    ["not a locale", "metric"],
  ])("a locale of %s gets %s units", async (locale, units) => {
    const { tool, asked } = recordingSource();
    await runTool(tool, { location: "Yangon" }, { locale });
    expect(asked).toEqual([{ days: 3, units }]);
  });

  test.each([
    [{}, "location must be the name of a place, such as 'Lisbon' or 'Paris, Texas'"],
    [{ location: "  " }, "location must name a place, such as 'Lisbon'"],
    [{ location: "auto:ip" }, "location must be the name of a place, such as 'Lisbon' or 'Paris, Texas'"],
    [{ location: "Oslo", days: 0 }, "days must be at least 1: today alone"],
    [{ location: "Oslo", days: 8 }, "days must be at most 7: the forecast reaches no further"],
    [{ location: "Oslo", days: "2" }, "days must be a whole number from 1 to 7"],
  ])("%j is refused with what to mend", (args, complaint) => {
    expect(complaints(recordingSource().tool, args)).toContain(complaint);
  });

  test("the schema is a flat object for a model", () => {
    const schema = z.toJSONSchema(recordingSource().tool.schema);
    expect(schema).toMatchObject({ type: "object", required: ["location"], additionalProperties: false });
    expect(schema).not.toHaveProperty("anyOf");
  });
});

describe("choosing among places of one name", () => {
  const paris = [
    { name: "Paris", country: "France", country_code: "FR", admin1: "Île-de-France" },
    { name: "Parish", country: "United States", country_code: "US", admin1: "Texas" },
    { name: "Paris", country: "United States", country_code: "US", admin1: "Texas", admin2: "Lamar" },
    { name: "Paris", country: "United States", country_code: "US", admin1: "Kentucky" },
  ];

  test.each([
    ["Paris", "Île-de-France"],
    ["Paris, Texas", "Texas"],
    ["paris, tx", "Texas"],
    ["Paris, KY, USA", "Kentucky"],
    ["Paris, Kentucky, United States", "Kentucky"],
    ["Paris, FR", "Île-de-France"],
    ["Paris, ile de france", "Île-de-France"],
    ["Paris, Lamar, U.S.", "Texas"],
  ])("%s lies in %s", (location, area) => {
    const { name, within } = splitLocation(location);
    expect(choosePlace(name, within, paris)).toMatchObject({ name: "Paris", admin1: area });
  });

  test("a state's code counts in its own country alone", () => {
    const places = [{ name: "Ica", country: "Peru", country_code: "PE", admin1: "California" }];
    expect(() => choosePlace("Ica", ["CA"], places)).toThrow("No 'Ica' was found in 'CA'");
  });
});

test("an unknown weather code is named, not guessed", () => {
  expect(conditionOf(0)).toBe("Clear sky");
  expect(conditionOf(42)).toBe("Unknown (WMO code 42)");
});
