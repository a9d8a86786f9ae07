import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, test } from "@jest/globals";
import { type RunningServer, startServer } from "../../support/server.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { OUTCOMES } from "./outcomes.ts";
import { expectNoSurprise, obedientModel, tcpFault, tryFault, upstream } from "./world.ts";

const fixture = (name: string) =>
  readFileSync(new URL(`../../fixtures/tools/${name}`, import.meta.url), "utf8");
const send = (status: number, body: string) => (_: unknown, response: ServerResponse) => {
  response.writeHead(status).end(body);
};
const endless = (_: unknown, response: ServerResponse) => {
  response.writeHead(200);
  const more = () => {
    while (response.write("x".repeat(65_536)));
  };
  response.on("drain", more);
  more();
};

const FAULTS: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  "status 500": send(500, "{}"),
  "status 503, once": send(503, "{}"),
  "status 429": send(429, "{}"),
  "status 404": send(404, "{}"),
  "malformed JSON": send(200, "{nonsense"),
  "a web page": send(200, "<h1>Hello</h1>"),
  "an endless body": endless,
};

type Upstream = Awaited<ReturnType<typeof upstream>>;

let model: Upstream;
let weather: Upstream;
let calendar: Upstream;
let weatherProxy: TcpProxy;
let calendarProxy: TcpProxy;
let server: RunningServer;

beforeAll(async () => {
  model = await upstream(obedientModel);
  weather = await upstream(({ url }, response) => {
    const file = url?.startsWith("/v1/search") ? "geocoding-barcelona.json" : "forecast-metric.json";
    response.end(fixture(`open-meteo/${file}`));
  });
  calendar = await upstream((_, response) => {
    response.end(fixture("calendar/office-closures.ics"));
  });
  weatherProxy = await TcpProxy.start(weather.port);
  calendarProxy = await TcpProxy.start(calendar.port);
  server = await startServer({
    env: {
      OPENAI_BASE_URL: `http://127.0.0.1:${model.port}/v1`,
      OPEN_METEO_GEOCODING_URL: `http://127.0.0.1:${weatherProxy.port}`,
      OPEN_METEO_FORECAST_URL: `http://127.0.0.1:${weatherProxy.port}`,
      HOLIDAY_CALENDAR_URL: `http://127.0.0.1:${calendarProxy.port}/feed.ics`,
      HOLIDAY_COUNTRY: "ES",
      RETRY_BASE_DELAY_MS: "10",
      CIRCUIT_BREAKER_MAX_FAILURES: "1000",
    },
  });
});
afterAll(async () => {
  await server.stop();
  for (const one of [weatherProxy, calendarProxy, model, weather, calendar]) await one.close();
  expectNoSurprise(server);
});

const strike = (fault: string, source: Upstream, proxy: TcpProxy) => ({
  harm() {
    const answer = FAULTS[fault];
    if (fault.endsWith("once") && answer) source.once(answer);
    else if (answer) source.fault = answer;
    else proxy.fault = tcpFault(fault);
  },
  mend() {
    source.fault = undefined;
    proxy.fault = undefined;
  },
  struck: () => source.met + proxy.met,
});

const numbered = <T>(outcomes: readonly T[]) => outcomes.map((outcome, index) => ({ outcome, index }));

/** Names of one place, as the geocoder's answer has it. */
const PLACES = ["Barcelona, Spain", "Barcelona, Catalonia", "Barcelona, ES"];

// Every question is a new one: an answer that is remembered would need no source.
describe("tools", () => {
  test.each(numbered(OUTCOMES.weather))(
    "the weather service: $outcome.fault",
    async ({ outcome, index }) => {
      const location = PLACES[index % PLACES.length];
      const days = 1 + Math.floor(index / PLACES.length);
      await tryFault({
        server,
        outcome,
        question: `get_weather ${JSON.stringify({ location, days })}`,
        wellAnswered: /"country_code":"ES"/,
        toolFailure: /^Error: (The weather service (can't|takes no more|sent)|get_weather did not answer)/,
        ...strike(outcome.fault, weather, weatherProxy),
      });
    },
    30_000,
  );

  test.each(numbered(OUTCOMES.calendar))(
    "the holiday calendar: $outcome.fault",
    async ({ outcome, index }) => {
      await tryFault({
        server,
        outcome,
        question: `get_holidays {"after_date":"2026-01-01","max_count":${index + 1}}`,
        wellAnswered: /"source":"iCalendar"/,
        toolFailure: /^Error: (The holiday calendar|get_holidays did not answer)/,
        ...strike(outcome.fault, calendar, calendarProxy),
      });
    },
    30_000,
  );
});
