import { type Config, ConfigError, requireGuard } from "./config.ts";
import { type Tool, ToolError } from "./core/assistant/tool.ts";
import { ToolRegistry } from "./core/assistant/tool-registry.ts";
import type { Cache } from "./core/cache.ts";
import { ChatService } from "./core/chat/chat-service.ts";
import { History } from "./core/chat/history.ts";
import { sweepExpiredTurns } from "./core/chat/sweeper.ts";
import { TurnRunner } from "./core/chat/turn-runner.ts";
import type { Clock } from "./core/clock.ts";
import { randomIds } from "./core/ids.ts";
import { keepSummedUp } from "./core/ledger/keep-summed-up.ts";
import { metered } from "./core/ledger/metered-model.ts";
import { UsageService } from "./core/ledger/usage-service.ts";
import type { Logger } from "./core/logger.ts";
import type { LanguageModel } from "./core/model/language-model.ts";
import { type Outbound, openOutbound } from "./net/outbound.ts";
import type { Metrics } from "./observability/metrics/merge.ts";
import { watchCaches, watchUpstreams } from "./observability/upstreams.ts";
import { type Observability, openObservability } from "./open-observability.ts";
import { openServer } from "./open-server.ts";
import { openStores } from "./open-stores.ts";
import { Upstreams } from "./open-upstreams.ts";
import { loadPrices } from "./prices-file.ts";
import { createDemoModel } from "./providers/demo/index.ts";
import { createOpenAIModel } from "./providers/openai/index.ts";
import { type CacheCounters, cached } from "./resilience/cached-tool.ts";
import { resilientHttp } from "./resilience/resilient-http.ts";
import { resilientModel } from "./resilience/resilient-model.ts";
import { shutDown } from "./shut-down.ts";
import { type Introduction, introduce } from "./start-up-lines.ts";
import { systemClock } from "./system-clock.ts";
import {
  dateHolidays,
  type HolidayPlace,
  holidaysTool,
  icalFeed,
  requireKnownPlace,
} from "./tools/calendar/index.ts";
import { dateMathTool, datetimeTool } from "./tools/datetime/index.ts";
import { openMeteo, weatherApi, weatherTool } from "./tools/weather/index.ts";
import { Readiness } from "./transport/health.ts";
import type { Primary } from "./workers/primary.ts";

const HOUR_MS = 3_600_000;
/** Weather services measure every 15 minutes or so. */
const WEATHER_FRESH_MS = HOUR_MS / 6;
const HOLIDAYS_FRESH_MS = 24 * HOUR_MS;

export interface AppDeps {
  readonly log: Logger;
  readonly clock?: Clock;
  /** Default: as the configuration says. */
  readonly model?: LanguageModel;
  /** Where this process is one of several workers: what holds them together. */
  readonly primary?: Primary;
}

/** A running server. */
export interface App extends Introduction {
  /** Takes no more work, lets the turns at work end, and lets go of everything: see {@link shutDown}. */
  stop(): Promise<void>;
  /** Stops when others serve in its place: whoever is connected gets an answer first. */
  retire(): Promise<void>;
  /** What this process has measured. */
  metrics(): Promise<Metrics>;
  /** Counts an error that came to where nothing was left to catch it. */
  countFault(): void;
}

/** The composition root: the only place that knows which adapter stands behind which port. */
export async function startApp(
  config: Config,
  { log, clock = systemClock, primary, ...deps }: AppDeps,
): Promise<App> {
  requireGuard(config);
  await requireHolidays(config);
  const prices = loadPrices(config.PRICES_FILE);
  const observability = await openObservability(config, prices, log, primary);
  const { tracing } = observability;
  const stores = await openStores(config, clock, log, observability.stores, primary);
  const { conversations: store, sessions } = stores;
  const outbound = openOutbound({
    rules: config.OUTBOUND_ALLOW,
    log,
    traceHeaders: tracing && (() => tracing.outgoingHeaders()),
  });
  const upstreams = new Upstreams(config, clock, watchUpstreams(log, observability.meters));
  const model = deps.model
    ? metered(observability.model(deps.model))
    : createModel(config, upstreams, outbound, observability);
  const counters = watchCaches(log, observability.meters);
  const tools = new ToolRegistry(createTools(config, upstreams, outbound, stores.cache, clock, counters));
  observability.expect({ tools: tools.names, upstreams: upstreams.all });
  const ids = randomIds(clock.now);
  const leaseMs = config.TURN_LEASE_SECONDS * 1000;

  const runner = new TurnRunner({
    store,
    model,
    tools,
    history: new History(store, config.HISTORY_TOKENS),
    clock,
    ids,
    observer: observability.turns,
    prices,
    settings: {
      timeoutMs: config.TURN_TIMEOUT_SECONDS * 1000,
      waitMs: config.TURN_WAIT_SECONDS * 1000,
      leaseMs,
      maxRounds: config.MAX_TOOL_ROUNDS,
    },
  });
  const chat = new ChatService({
    store,
    sessions,
    runner,
    clock,
    ids,
    settings: {
      maxMessageChars: config.MAX_MESSAGE_CHARS,
      defaultLocale: {
        timezone: config.DEFAULT_TIMEZONE ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
        locale: config.DEFAULT_LOCALE,
      },
    },
  });
  const readiness = new Readiness([...stores.dependencies, ...upstreams.dependencies]);
  const sweeping = new AbortController();
  const { createRateLimiter } = stores;
  const usage = new UsageService(stores.usage, clock);
  const server = await openServer(config, {
    chat,
    usage,
    readiness,
    createRateLimiter,
    observability,
    ids,
    log,
  }).catch(async (error) => {
    await stores.close();
    throw error;
  });
  const { url } = server;
  const swept = Promise.all([
    sweepExpiredTurns({ runner, store, clock, log }, leaseMs / 2, sweeping.signal),
    keepSummedUp(stores.usage, clock, log, sweeping.signal),
  ]);
  readiness.phase = "serving";
  const graceMs = config.SHUTDOWN_GRACE_SECONDS * 1000;
  const stopWithin = async (ms: number) => {
    readiness.phase = "draining";
    sweeping.abort();
    await shutDown({ runner, server, idle: swept, stores, tracing, clock, log }, ms);
    await outbound.close();
  };

  return {
    ...introduce(config, url, model, stores),
    stop: () => stopWithin(graceMs),
    async retire() {
      const endsAt = clock.now() + graceMs;
      await server.retire(graceMs);
      await stopWithin(Math.max(0, endsAt - clock.now()));
    },
    metrics: observability.ownMetrics,
    countFault: observability.fault,
  };
}

function createModel(
  config: Config,
  upstreams: Upstreams,
  { streaming }: Outbound,
  observability: Observability,
): LanguageModel {
  if (!usesOpenAI(config)) return metered(observability.model(createDemoModel()));
  const openai = createOpenAIModel({
    // Servers that ask for no key take any.
    apiKey: config.OPENAI_API_KEY ?? "none",
    model: config.OPENAI_MODEL,
    baseUrl: config.OPENAI_BASE_URL,
    maxOutputTokens: config.OPENAI_MAX_OUTPUT_TOKENS,
    http: streaming,
  });
  return resilientModel(metered(observability.model(openai)), upstreams.open("model:openai"));
}

function usesOpenAI(config: Config): boolean {
  return config.OPENAI_API_KEY !== undefined || config.OPENAI_BASE_URL !== undefined;
}

function createTools(
  config: Config,
  upstreams: Upstreams,
  outbound: Outbound,
  cache: Cache,
  clock: Clock,
  counters: CacheCounters,
): Tool[] {
  const http = resilientHttp(outbound.http, upstreams.open("weather"));
  const weather = config.WEATHER_API_KEY
    ? weatherApi({ http, apiKey: config.WEATHER_API_KEY, baseUrl: config.WEATHER_API_BASE_URL })
    : openMeteo({
        http,
        geocodingBaseUrl: config.OPEN_METEO_GEOCODING_URL,
        forecastBaseUrl: config.OPEN_METEO_FORECAST_URL,
      });
  const place = holidayPlace(config);
  const feed = config.HOLIDAY_CALENDAR_URL
    ? icalFeed({
        http: resilientHttp(outbound.http, upstreams.open("calendar")),
        url: config.HOLIDAY_CALENDAR_URL,
      })
    : undefined;
  const staleMs = config.CACHE_TTL_HOURS * HOUR_MS;
  const remembered = (tool: Tool, freshMs: number) =>
    cached(tool, { cache, clock, freshMs, staleMs, counters });
  return [
    remembered(weatherTool({ source: weather }), WEATHER_FRESH_MS),
    remembered(holidaysTool({ source: dateHolidays(), feed, place }), HOLIDAYS_FRESH_MS),
    datetimeTool(),
    dateMathTool(),
  ];
}

function holidayPlace(config: Config): HolidayPlace | undefined {
  const { HOLIDAY_COUNTRY: country, HOLIDAY_REGION: region } = config;
  return country ? { country, region } : undefined;
}

/** @throws ConfigError when nothing knows the holidays of the place that the configuration names. */
async function requireHolidays(config: Config): Promise<void> {
  const place = holidayPlace(config);
  if (!place || config.HOLIDAY_CALENDAR_URL) return;
  try {
    await requireKnownPlace(place);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ConfigError(
      `HOLIDAY_COUNTRY, HOLIDAY_REGION: ${error.message} A place of which none are known needs HOLIDAY_CALENDAR_URL. See .env.example.`,
    );
  }
}
