import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "@jest/globals";
import { ToolError } from "../../../src/core/assistant/tool.ts";
import { openMeteo, weatherApi, weatherTool } from "../../../src/tools/weather/index.ts";
import { type LocalServer, localServer } from "../../support/local-server.ts";
import { localOutbound } from "../../support/outbound.ts";
import { runTool } from "../../support/run-tool.ts";

const API_KEY = "s3cr3t-key-0123456789";
const { http } = localOutbound();

let server: LocalServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

function fixture(name: string): string {
  return readFileSync(new URL(`../../fixtures/tools/${name}`, import.meta.url), "utf8");
}

function json(response: ServerResponse, body: string, status = 200): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(body);
}

/** A server with the paths of both Open-Meteo APIs. */
async function openMeteoTool(answers: { geocoding: string; forecast?: string }) {
  server = await localServer((url, response) => {
    if (url.pathname === "/geo/v1/search") json(response, answers.geocoding);
    else if (url.pathname === "/v1/forecast") json(response, answers.forecast ?? "{}");
    else json(response, '{"error":true,"reason":"Not Found"}', 404);
  });
  const source = openMeteo({
    http,
    geocodingBaseUrl: `${server.url}/geo`,
    forecastBaseUrl: server.url,
  });
  return { tool: weatherTool({ source }), requests: server.requests };
}

async function weatherApiTool(handle: (response: ServerResponse) => void) {
  server = await localServer((_url, response) => handle(response));
  const source = weatherApi({ http, apiKey: API_KEY, baseUrl: server.url });
  return { tool: weatherTool({ source }), requests: server.requests };
}

async function failureOf(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ToolError);
  return error instanceof ToolError ? error.message : "";
}

describe("Open-Meteo", () => {
  test("gives current conditions and a forecast in metric units", async () => {
    const { tool, requests } = await openMeteoTool({
      geocoding: fixture("open-meteo/geocoding-barcelona.json"),
      forecast: fixture("open-meteo/forecast-metric.json"),
    });
    expect(await runTool(tool, { location: "Barcelona, Spain" }, { locale: "en-GB" })).toEqual({
      location: {
        name: "Barcelona",
        region: "Catalonia",
        country: "Spain",
        country_code: "ES",
        timezone: "Europe/Madrid",
      },
      observed_at: "2026-08-01T14:15",
      units: { temperature: "°C", wind_speed: "km/h", precipitation: "mm" },
      current: {
        condition: "Partly cloudy",
        temperature: 28.4,
        feels_like: 31.2,
        humidity_percent: 62,
        wind_speed: 13.7,
        precipitation: 0,
      },
      forecast: [
        {
          date: "2026-08-01",
          condition: "Partly cloudy",
          temperature_min: 23.1,
          temperature_max: 30.2,
          precipitation: 0,
          precipitation_chance_percent: 5,
        },
        {
          date: "2026-08-02",
          condition: "Thunderstorm",
          temperature_min: 22.8,
          temperature_max: 29.5,
          precipitation: 7.2,
          precipitation_chance_percent: 78,
        },
        {
          date: "2026-08-03",
          condition: "Rain",
          temperature_min: 21,
          temperature_max: 26.4,
          precipitation: 3.1,
        },
      ],
      source: "Open-Meteo",
    });
    const [search, forecast] = requests;
    expect(Object.fromEntries(search?.searchParams ?? [])).toMatchObject({
      name: "Barcelona",
      language: "en",
    });
    expect(Object.fromEntries(forecast?.searchParams ?? [])).toEqual({
      latitude: "41.38879",
      longitude: "2.15899",
      timezone: "Europe/Madrid",
      forecast_days: "3",
      current:
        "temperature_2m,apparent_temperature,relative_humidity_2m,wind_speed_10m,precipitation,weather_code",
      daily:
        "weather_code,temperature_2m_min,temperature_2m_max,precipitation_sum,precipitation_probability_max",
    });
  });

  test("an American locale gets imperial units", async () => {
    const { tool, requests } = await openMeteoTool({
      geocoding: fixture("open-meteo/geocoding-paris.json"),
      forecast: fixture("open-meteo/forecast-imperial.json"),
    });
    expect(await runTool(tool, { location: "Paris, TX", days: 1 }, { locale: "en-US" })).toMatchObject({
      location: { name: "Paris", region: "Texas", country: "United States", timezone: "America/Chicago" },
      units: { temperature: "°F", wind_speed: "mph", precipitation: "in" },
      current: { temperature: 81.3, condition: "Clear sky" },
    });
    expect(Object.fromEntries(requests[1]?.searchParams ?? [])).toMatchObject({
      forecast_days: "1",
      temperature_unit: "fahrenheit",
      wind_speed_unit: "mph",
      precipitation_unit: "inch",
    });
  });

  test("an unknown place is told as such", async () => {
    const { tool } = await openMeteoTool({ geocoding: fixture("open-meteo/geocoding-none.json") });
    expect(await failureOf(runTool(tool, { location: "Xyzzy" }))).toBe(
      "No place called 'Xyzzy' was found; check the spelling or add the country.",
    );
  });

  test("a qualifier that fits none names the candidates", async () => {
    const { tool } = await openMeteoTool({ geocoding: fixture("open-meteo/geocoding-paris.json") });
    expect(await failureOf(runTool(tool, { location: "Paris, Narnia" }))).toBe(
      "No 'Paris' was found in 'Narnia'. Places of that name: Paris, Île-de-France, France; " +
        "Paris, Kentucky, United States; Paris, Texas, United States; Paris, Ontario, Canada.",
    );
  });

  test.each([
    ["a changed shape", '{"timezone":"Europe/Madrid","current":{}}'],
    ["no JSON", "<html>Maintenance</html>"],
    ["too long an answer", `{"timezone":"${"x".repeat(1024 * 1024)}"}`],
  ])("%s is a failure in words", async (_what, forecast) => {
    const { tool } = await openMeteoTool({
      geocoding: fixture("open-meteo/geocoding-barcelona.json"),
      forecast,
    });
    expect(await failureOf(runTool(tool, { location: "Barcelona" }))).toMatch(/can't be understood/);
  });

  test("a day without values is a failure in words", async () => {
    const forecast = fixture("open-meteo/forecast-metric.json").replace("[23.1, 22.8,", "[23.1, null,");
    const { tool } = await openMeteoTool({
      geocoding: fixture("open-meteo/geocoding-barcelona.json"),
      forecast,
    });
    expect(await failureOf(runTool(tool, { location: "Barcelona" }))).toMatch(/no forecast for 2026-08-02/);
  });

  test("an unreachable service is a failure in words", async () => {
    const { tool } = await openMeteoTool({ geocoding: "" });
    await server?.close();
    expect(await failureOf(runTool(tool, { location: "Barcelona" }))).toBe(
      "The weather service can't be reached right now. Try again later.",
    );
  });

  test("an abort ends the call with its own reason", async () => {
    const controller = new AbortController();
    const reason = new Error("deadline");
    server = await localServer(() => controller.abort(reason));
    const source = openMeteo({
      http,
      geocodingBaseUrl: server.url,
      forecastBaseUrl: server.url,
    });
    const attempt = runTool(weatherTool({ source }), { location: "Oslo" }, { signal: controller.signal });
    await expect(attempt).rejects.toBe(reason);
  });
});

describe("WeatherAPI.com", () => {
  test("gives current conditions and a forecast, its times as ISO 8601", async () => {
    const { tool, requests } = await weatherApiTool((response) =>
      json(response, fixture("weather-api/forecast-london.json")),
    );
    expect(await runTool(tool, { location: "London, UK", days: 2 })).toEqual({
      location: {
        name: "London",
        region: "City of London, Greater London",
        country: "United Kingdom",
        timezone: "Europe/London",
      },
      observed_at: "2026-08-01T09:00",
      units: { temperature: "°C", wind_speed: "km/h", precipitation: "mm" },
      current: {
        condition: "Partly Cloudy",
        temperature: 18.3,
        feels_like: 18.1,
        humidity_percent: 68,
        wind_speed: 13,
        precipitation: 0.05,
      },
      forecast: [
        {
          date: "2026-08-01",
          condition: "Partly Cloudy",
          temperature_min: 15.2,
          temperature_max: 24.1,
          precipitation: 0.4,
          precipitation_chance_percent: 20,
        },
        {
          date: "2026-08-02",
          condition: "Moderate rain",
          temperature_min: 14.9,
          temperature_max: 21.7,
          precipitation: 6.3,
          precipitation_chance_percent: 88,
        },
      ],
      source: "WeatherAPI.com",
    });
    expect(requests[0]?.pathname).toBe("/v1/forecast.json");
    expect(Object.fromEntries(requests[0]?.searchParams ?? [])).toMatchObject({
      key: API_KEY,
      q: "London, UK",
      days: "2",
    });
  });

  test("an American locale gets imperial units", async () => {
    const { tool } = await weatherApiTool((response) =>
      json(response, fixture("weather-api/forecast-london.json")),
    );
    expect(await runTool(tool, { location: "London" }, { locale: "en-US" })).toMatchObject({
      units: { temperature: "°F" },
      current: { temperature: 64.9, feels_like: 64.6, wind_speed: 8.1 },
      forecast: [{ temperature_max: 75.4, precipitation: 0.02 }, { temperature_min: 58.8 }],
    });
  });

  test.each([
    [400, { error: { code: 1006, message: "No matching location found." } }, /No place called 'Oslo'/],
    [400, { error: { code: 1005, message: "API URL is invalid." } }, /status 400/],
    [401, { error: { code: 2006, message: "API key is invalid." } }, /refused the server's API key/],
    [403, { error: { code: 2007, message: "API key has exceeded calls per month quota." } }, /API key/],
    [429, {}, /no more requests/],
    [500, {}, /status 500/],
    [302, {}, /status 302/],
    [200, { location: {} }, /can't be understood/],
  ])("status %i with %j is a failure in words without the key", async (status, body, words) => {
    const { tool } = await weatherApiTool((response) => json(response, JSON.stringify(body), status));
    const failure = await failureOf(runTool(tool, { location: "Oslo" }));
    expect(failure).toMatch(words);
    expect(failure).not.toContain(API_KEY);
  });

  test("a broken connection is a failure in words without the key", async () => {
    const { tool } = await weatherApiTool((response) => response.destroy());
    expect(await failureOf(runTool(tool, { location: "Oslo" }))).toBe(
      "The weather service can't be reached right now. Try again later.",
    );
  });
});
