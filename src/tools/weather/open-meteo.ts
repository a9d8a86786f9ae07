import { z } from "zod";
import { ToolError } from "../../core/assistant/tool.ts";
import type { HttpClient } from "../../net/http-client.ts";
import { choosePlace, splitLocation } from "./place-match.ts";
import { ask, endpoint, placeNotFound, read } from "./service.ts";
import type { UnitSystem, WeatherReport, WeatherSource } from "./weather-source.ts";
import { conditionOf } from "./wmo-codes.ts";

export interface OpenMeteoOptions {
  http: HttpClient;
  /** Such as https://geocoding-api.open-meteo.com */
  geocodingBaseUrl: string;
  /** Such as https://api.open-meteo.com */
  forecastBaseUrl: string;
}

/** Weather from Open-Meteo, which needs no key. API: https://open-meteo.com/en/docs */
export function openMeteo({ http, geocodingBaseUrl, forecastBaseUrl }: OpenMeteoOptions): WeatherSource {
  /** The geocoder searches by bare names: the rest of the location chooses among its results. */
  async function findPlace(location: string, signal: AbortSignal): Promise<GeocodedPlace> {
    const { name, within } = splitLocation(location);
    const url = endpoint(geocodingBaseUrl, "v1/search", {
      name,
      count: within.length === 0 ? "1" : "100",
      language: "en",
      format: "json",
    });
    const { results } = read(await ask(http, url, signal), geocodingAnswer);
    if (results.length === 0) throw placeNotFound(location);
    return choosePlace(name, within, results);
  }

  async function forecast(place: GeocodedPlace, days: number, units: UnitSystem, signal: AbortSignal) {
    const url = endpoint(forecastBaseUrl, "v1/forecast", {
      latitude: String(place.latitude),
      longitude: String(place.longitude),
      timezone: place.timezone ?? "auto",
      forecast_days: String(days),
      current: variablesOf(currentWeather),
      daily: variablesOf(dailyWeather),
      ...(units === "imperial" && {
        temperature_unit: "fahrenheit",
        wind_speed_unit: "mph",
        precipitation_unit: "inch",
      }),
    });
    return read(await ask(http, url, signal), forecastAnswer);
  }

  return {
    name: "Open-Meteo",
    async report({ location, days, units, signal }) {
      const place = await findPlace(location, signal);
      const { timezone, current, daily } = await forecast(place, days, units, signal);
      return {
        location: {
          name: place.name,
          region: place.admin1,
          country: place.country,
          country_code: place.country_code,
          timezone,
        },
        observed_at: current.time,
        current: {
          condition: conditionOf(current.weather_code),
          temperature: current.temperature_2m,
          feels_like: current.apparent_temperature,
          humidity_percent: current.relative_humidity_2m,
          wind_speed: current.wind_speed_10m,
          precipitation: current.precipitation,
        },
        forecast: daily.time.map((date, day) => dayOf(daily, date, day)),
      };
    },
  };
}

/** Row `day` of the columns that the API sends. */
function dayOf(daily: z.output<typeof dailyWeather>, date: string, day: number) {
  const at = (column: readonly (number | null)[]): number => {
    const value = column[day];
    if (value === undefined || value === null) {
      throw new ToolError(`The weather service has no forecast for ${date}; ask for fewer days.`);
    }
    return value;
  };
  const chance = daily.precipitation_probability_max[day];
  return {
    date,
    condition: conditionOf(at(daily.weather_code)),
    temperature_min: at(daily.temperature_2m_min),
    temperature_max: at(daily.temperature_2m_max),
    precipitation: at(daily.precipitation_sum),
    ...(typeof chance === "number" && { precipitation_chance_percent: chance }),
  } satisfies WeatherReport["forecast"][number];
}

const geocodedPlace = z.object({
  name: z.string(),
  latitude: z.number(),
  longitude: z.number(),
  country: z.string().optional(),
  country_code: z.string().optional(),
  admin1: z.string().optional(),
  admin2: z.string().optional(),
  timezone: z.string().optional(),
});
type GeocodedPlace = z.output<typeof geocodedPlace>;

/** Without a match the API leaves `results` out. */
const geocodingAnswer = z.object({ results: z.array(geocodedPlace).default([]) });

const currentWeather = z.object({
  time: z.string(),
  temperature_2m: z.number(),
  apparent_temperature: z.number(),
  relative_humidity_2m: z.number(),
  wind_speed_10m: z.number(),
  precipitation: z.number(),
  weather_code: z.number(),
});

const column = z.array(z.number().nullable());
const dailyWeather = z.object({
  time: z.array(z.string()).min(1),
  weather_code: column,
  temperature_2m_min: column,
  temperature_2m_max: column,
  precipitation_sum: column,
  precipitation_probability_max: column,
});

/** What is read of the answer is what the request asks for; the time always comes. */
function variablesOf({ shape }: z.ZodObject): string {
  return Object.keys(shape)
    .filter((name) => name !== "time")
    .join(",");
}

const forecastAnswer = z.object({
  timezone: z.string(),
  current: currentWeather,
  daily: dailyWeather,
});
