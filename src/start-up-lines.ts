import type { Config } from "./config.ts";
import type { Logger } from "./core/logger.ts";
import type { LanguageModel } from "./core/model/language-model.ts";

/** What a server tells of itself once it serves. */
export interface Introduction {
  readonly url: string;
  /** One line for each fact that a newcomer wants to know. */
  readonly about: readonly string[];
}

export function introduce(
  config: Config,
  url: string,
  model: LanguageModel,
  stores: { readonly description: readonly string[] },
): Introduction {
  const about = [
    `Open to: ${callersLine(config)}`,
    `Model: ${modelLine(config, model)}`,
    ...stores.description,
    `Weather: ${config.WEATHER_API_KEY ? "WeatherAPI.com" : "Open-Meteo"}; holidays: ${config.HOLIDAY_CALENDAR_URL ? "your calendar feed and date-holidays" : "date-holidays, offline"}`,
  ];
  if (model.provider === "demo") {
    about.push(
      "For a real model set OPENAI_API_KEY, or OPENAI_BASE_URL and OPENAI_MODEL for a server of your own",
    );
  }
  const key = config.API_KEYS.length === 0 || config.API_KEY ? "" : "API_KEY=… ";
  const where = url === config.API_URL ? "" : ` --url ${url}`;
  about.push(`Ask it something: ${key}npx parley${where} ask -m "Which holidays are next in Barcelona?"`);
  return { url, about };
}

/** Tells people that the server is ready, once however many processes it is. */
export function announce({ url, about }: Introduction, config: Config, log: Logger): void {
  const { WORKERS, ALLOW_ANONYMOUS, API_KEYS } = config;
  log.info({}, `Parley is ready at ${url}${WORKERS > 1 ? ` with ${WORKERS} workers` : ""}`);
  for (const line of about) log.info({}, line);
  if (ALLOW_ANONYMOUS && API_KEYS.length === 0) {
    log.warn({}, "ALLOW_ANONYMOUS: everyone who can reach the server may use it and read all conversations");
  }
}

function callersLine({ API_KEYS, ALLOW_ANONYMOUS }: Config): string {
  if (API_KEYS.length > 0) return `callers with an API key (${API_KEYS.map(({ name }) => name).join(", ")})`;
  return ALLOW_ANONYMOUS ? "everyone" : "this machine; set API_KEYS and HOST to open it to others";
}

function modelLine(config: Config, model: LanguageModel): string {
  if (model.provider === "demo") return "demo, built in and offline";
  const host = config.OPENAI_BASE_URL ? new URL(config.OPENAI_BASE_URL).host : model.provider;
  return `${model.model} at ${host}`;
}
