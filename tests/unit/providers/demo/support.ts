import type { ModelMessage, ModelRequest, ModelToolCall } from "../../../../src/core/model/language-model.ts";
import { createDemoModel } from "../../../../src/providers/demo/index.ts";
import { callsOf, eventsOf, type ModelEvent, textOf } from "../../../support/model-events.ts";

export { callsOf, textOf };

/** A Saturday. */
export const TODAY = "2026-11-21";

export const SYSTEM = `You are Parley.\nCurrent date: ${TODAY} (Saturday)\nTime zone: Europe/Madrid\nLocale: en-GB`;

export const TOOLS = ["get_weather", "get_holidays", "get_datetime", "date_math"].map((name) => ({
  name,
  description: "",
  parameters: {},
}));

const model = createDemoModel();

export async function ask(request: Partial<ModelRequest>): Promise<readonly ModelEvent[]> {
  const whole: ModelRequest = { operation: "reply", messages: [], tools: TOOLS, locale: "en-GB", ...request };
  return eventsOf(model, whole);
}

export type Wanted = readonly [name: string, args: Readonly<Record<string, unknown>>];

export function wanted(calls: readonly ModelToolCall[]): readonly Wanted[] {
  return calls.map(({ name, arguments: args }) => [name, JSON.parse(args)]);
}

export const weather = (location: string, days?: number): Wanted => [
  "get_weather",
  days === undefined ? { location } : { location, days },
];
export const holidays = (args: Record<string, unknown> = {}): Wanted => ["get_holidays", args];
export const now = (timezone?: string): Wanted => [
  "get_datetime",
  timezone === undefined ? {} : { timezone },
];
export const math = (operation: string, args: Record<string, unknown>): Wanted => [
  "date_math",
  { operation, ...args },
];

/** The messages of a conversation so far: user texts, each but the last with an answer. */
export function conversation(texts: readonly string[]): readonly ModelMessage[] {
  const turns = texts.flatMap((content): ModelMessage[] => [
    { role: "user", content },
    { role: "assistant", content: "(an answer)", toolCalls: [] },
  ]);
  return [{ role: "system", content: SYSTEM }, ...turns.slice(0, -1)];
}

/** What a tool answers: a result, or the text of its error. */
export type FakeTools = Readonly<Record<string, (args: Record<string, unknown>) => object | string>>;

/** Plays the assistant's loop with these tools until the model answers in words. */
export async function play(
  text: string,
  tools: FakeTools,
  options: { locale?: string; history?: readonly ModelMessage[]; rounds?: number } = {},
): Promise<{ answer: string; rounds: readonly (readonly Wanted[])[]; messages: readonly ModelMessage[] }> {
  const { locale = "en-GB", rounds: maxRounds = 5 } = options;
  const history = options.history ?? [{ role: "system", content: SYSTEM }];
  const messages: ModelMessage[] = [...history, { role: "user", content: text }];
  const rounds: (readonly Wanted[])[] = [];
  for (;;) {
    const events = await ask({ messages, locale, tools: rounds.length < maxRounds ? TOOLS : [] });
    const calls = callsOf(events);
    messages.push({ role: "assistant", content: textOf(events), toolCalls: calls });
    if (calls.length === 0) return { answer: textOf(events), rounds, messages };
    rounds.push(wanted(calls));
    for (const { id, name, arguments: args } of calls) {
      const result = tools[name]?.(JSON.parse(args)) ?? `There is no tool ${name}.`;
      const isError = typeof result === "string";
      const content = isError ? result : JSON.stringify(result);
      messages.push({ role: "tool", toolCallId: id, toolName: name, content, isError });
    }
  }
}

/** Weather of three days, rain on the second one, as get_weather gives it. */
export function weatherResult(name: string, overrides: Record<string, unknown> = {}, days = 3) {
  return {
    location: { name, country: "Spain", country_code: "ES", timezone: "Europe/Madrid" },
    observed_at: "2026-11-21T10:15",
    units: { temperature: "°C", wind_speed: "km/h", precipitation: "mm" },
    current: {
      condition: "Partly cloudy",
      temperature: 14.2,
      feels_like: 13,
      humidity_percent: 62,
      wind_speed: 11,
      precipitation: 0,
    },
    forecast: Array.from({ length: days }, (_, index) => ({
      date: `2026-11-${21 + index}`,
      condition: index === 1 ? "Moderate rain" : "Clear sky",
      temperature_min: 9,
      temperature_max: 16 + index,
      precipitation: index === 1 ? 4.2 : 0,
      precipitation_chance_percent: index === 1 ? 80 : 5,
    })),
    source: "Open-Meteo",
    ...overrides,
  };
}

export function holidaysResult(overrides: Record<string, unknown> = {}) {
  return {
    place: { country: "ES", country_name: "Spain", region: "CT", region_name: "Catalonia" },
    after_date: TODAY,
    before_date: "2027-11-21",
    holidays: [
      { date: "2026-12-08", weekday: "Tuesday", name: "Immaculate Conception", type: "public" },
      { date: "2026-12-25", weekday: "Friday", name: "Christmas Day", type: "public" },
    ],
    more: false,
    source: "date-holidays",
    ...overrides,
  };
}
