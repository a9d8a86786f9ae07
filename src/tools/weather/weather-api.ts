import { z } from "zod";
import { ToolError } from "../../core/assistant/tool.ts";
import type { HttpClient, HttpResponse } from "../../net/http-client.ts";
import { ask, endpoint, parseJson, placeNotFound, read } from "./service.ts";
import type { UnitSystem, WeatherSource } from "./weather-source.ts";

export interface WeatherApiOptions {
  http: HttpClient;
  apiKey: string;
  /** Such as https://api.weatherapi.com */
  baseUrl: string;
}

/** Weather from WeatherAPI.com. Its free plan knows three days. API: https://www.weatherapi.com/docs/ */
export function weatherApi({ http, apiKey, baseUrl }: WeatherApiOptions): WeatherSource {
  return {
    name: "WeatherAPI.com",
    async report({ location, days, units, signal }) {
      const url = endpoint(baseUrl, "v1/forecast.json", {
        key: apiKey,
        q: location,
        days: String(days),
        aqi: "no",
        alerts: "no",
      });
      const response = await ask(http, url, signal);
      if (response.status === 400 && errorCodeOf(response) === NO_SUCH_LOCATION)
        throw placeNotFound(location);
      if (response.status === 401 || response.status === 403) throw new ToolError(KEY_REFUSED);
      const { location: place, current, forecast } = read(response, forecastAnswer);
      const pick = pickUnits(units);
      return {
        location: {
          name: place.name,
          ...(place.region !== "" && { region: place.region }),
          country: place.country,
          timezone: place.tz_id,
        },
        observed_at: isoLocalTime(current.last_updated),
        current: {
          condition: current.condition.text,
          temperature: pick(current.temp_c, current.temp_f),
          feels_like: pick(current.feelslike_c, current.feelslike_f),
          humidity_percent: current.humidity,
          wind_speed: pick(current.wind_kph, current.wind_mph),
          precipitation: pick(current.precip_mm, current.precip_in),
        },
        forecast: forecast.forecastday.map(({ date, day }) => ({
          date,
          condition: day.condition.text,
          temperature_min: pick(day.mintemp_c, day.mintemp_f),
          temperature_max: pick(day.maxtemp_c, day.maxtemp_f),
          precipitation: pick(day.totalprecip_mm, day.totalprecip_in),
          precipitation_chance_percent: Math.max(day.daily_chance_of_rain, day.daily_chance_of_snow),
        })),
      };
    },
  };
}

/** "No location found matching parameter 'q'", of the API's table of error codes. */
const NO_SUCH_LOCATION = 1006;

const KEY_REFUSED =
  "The weather service refused the server's API key: its operator must check WEATHER_API_KEY.";

const errorAnswer = z.object({ error: z.object({ code: z.number() }) });

function errorCodeOf({ body }: HttpResponse): number | undefined {
  return errorAnswer.safeParse(parseJson(body)).data?.error.code;
}

function pickUnits(units: UnitSystem): (metric: number, imperial: number) => number {
  return (metric, imperial) => (units === "metric" ? metric : imperial);
}

/** The API writes "2026-08-01 9:05". */
function isoLocalTime(text: string): string {
  const [date = "", time = ""] = text.split(" ");
  return `${date}T${time.padStart(5, "0")}`;
}

const condition = z.object({ text: z.string().trim() });

const forecastAnswer = z.object({
  location: z.object({ name: z.string(), region: z.string(), country: z.string(), tz_id: z.string() }),
  current: z.object({
    last_updated: z.string().regex(/^\d{4}-\d\d-\d\d \d{1,2}:\d\d$/),
    condition,
    temp_c: z.number(),
    temp_f: z.number(),
    feelslike_c: z.number(),
    feelslike_f: z.number(),
    humidity: z.number(),
    wind_kph: z.number(),
    wind_mph: z.number(),
    precip_mm: z.number(),
    precip_in: z.number(),
  }),
  forecast: z.object({
    forecastday: z
      .array(
        z.object({
          date: z.string(),
          day: z.object({
            condition,
            mintemp_c: z.number(),
            mintemp_f: z.number(),
            maxtemp_c: z.number(),
            maxtemp_f: z.number(),
            totalprecip_mm: z.number(),
            totalprecip_in: z.number(),
            daily_chance_of_rain: z.number(),
            daily_chance_of_snow: z.number(),
          }),
        }),
      )
      .min(1),
  }),
});
