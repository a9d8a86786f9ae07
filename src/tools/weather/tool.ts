import { z } from "zod";
import { defineTool, type Tool } from "../../core/assistant/tool.ts";
import type { UnitSystem, WeatherSource } from "./weather-source.ts";

const DEFAULT_DAYS = 3;
const MAX_DAYS = 7;

const UNITS = {
  metric: { temperature: "°C", wind_speed: "km/h", precipitation: "mm" },
  imperial: { temperature: "°F", wind_speed: "mph", precipitation: "in" },
} as const;

const schema = z.strictObject({
  location: z
    .string({ error: "must be the name of a place, such as 'Lisbon' or 'Paris, Texas'" })
    .trim()
    .min(1, "must name a place, such as 'Lisbon'")
    .max(100, "must be the name of a place alone, at most 100 characters")
    // WeatherAPI.com reads "auto:ip" and the like as commands.
    .refine((text) => /[\p{L}\p{N}]/u.test(text) && !text.includes(":"), {
      error: "must be the name of a place, such as 'Lisbon' or 'Paris, Texas'",
    })
    .describe("Town or city in English, with region or country after a comma if known: 'Paris, Texas'"),
  days: z
    .int({ error: `must be a whole number from 1 to ${MAX_DAYS}` })
    .min(1, "must be at least 1: today alone")
    .max(MAX_DAYS, `must be at most ${MAX_DAYS}: the forecast reaches no further`)
    .optional()
    .describe(`Days of forecast, today included (1 to ${MAX_DAYS}); ${DEFAULT_DAYS} when left out`),
});

/** `get_weather`: current conditions and a forecast of up to 7 days, in the units of the user's locale. */
export function weatherTool({ source }: { source: WeatherSource }): Tool {
  return defineTool({
    name: "get_weather",
    description:
      "Current weather and a forecast of up to 7 days for a place. Temperatures, wind and precipitation " +
      "are in the units that the result names.",
    schema,
    readOnly: true,
    timeoutMs: 10_000,
    async execute({ location, days = DEFAULT_DAYS }, { locale, signal }) {
      const units = unitsOf(locale);
      const report = await source.report({ location, days, units, signal });
      return {
        location: report.location,
        observed_at: report.observed_at,
        units: UNITS[units],
        current: report.current,
        forecast: report.forecast,
        source: source.name,
      };
    },
  });
}

/** CLDR's measurement system "US". */
const IMPERIAL_REGIONS: ReadonlySet<string | undefined> = new Set(["US", "LR", "MM"]);

/** A locale that names no region ("en") gets metric units: likely subtags would make it American. */
function unitsOf(locale: string): UnitSystem {
  try {
    return IMPERIAL_REGIONS.has(new Intl.Locale(locale).region) ? "imperial" : "metric";
  } catch {
    return "metric";
  }
}
