import { existsSync, readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { availableParallelism } from "node:os";
import { parseEnv } from "node:util";
import { z } from "zod";
import { flag, headerText, integer, integerOrAuto, number, oneOf } from "./config-kinds.ts";
import { apiKeyLimits, apiKeys, networks, origins } from "./config-lists.ts";
import { canonicalLocale, isTimezone } from "./core/context.ts";
import { missingEntry, parseAllowRule } from "./net/outbound-rules.ts";

const httpUrl = () =>
  z.url({ protocol: /^https?$/, error: "must be an http or https URL, such as https://example.com" });
/** Of Parley itself: it is shown in messages, and fetch takes none with a password. */
const serverUrl = () =>
  httpUrl().refine((text) => !holdsLogin(text), {
    error: "must not hold a name and password; the server is shown API_KEY",
  });
const timezone = z
  .string()
  .refine(isTimezone, { error: "must be an IANA time zone name, such as Europe/Madrid" });
const locale = z.string().refine(canonicalLocale, { error: "must be a BCP 47 language tag, such as en-GB" });

/** `host:port,host:port` as a list. */
const addresses = () =>
  z
    .string()
    .regex(/^[^\s:,]+:\d{1,5}(,[^\s:,]+:\d{1,5})*$/, "must be a list of host:port, such as a:6379,b:6379")
    .transform((text) =>
      text.split(",").map((address) => {
        const [host = "", port] = address.split(":");
        return { host, port: Number(port) };
      }),
    );

/** Comma-separated entries of OUTBOUND_ALLOW as rules. */
const allowRules = () =>
  z.string().transform((text, { addIssue }) => {
    const rules = text.split(",").map((entry) => parseAllowRule(entry.trim()));
    if (rules.includes(undefined)) {
      addIssue("must be a list of host, host:port, IP address or range (10.0.0.0/8), separated by commas");
    }
    return rules.filter((rule) => rule !== undefined);
  });

/** Whom the server asks: addresses that are not public have to be meant. */
const OUTBOUND_URLS = [
  "OPENAI_BASE_URL",
  "WEATHER_API_BASE_URL",
  "OPEN_METEO_GEOCODING_URL",
  "OPEN_METEO_FORECAST_URL",
  "HOLIDAY_CALENDAR_URL",
  "SENTRY_DSN",
] as const;

/** Ids of users and chats, separated by commas; those of groups are negative. */
const telegramIds = () =>
  z
    .string()
    .regex(/^-?\d+(\s*,\s*-?\d+)*$/, "must be a list of numeric ids, such as 12345,-67890")
    .transform((text) => text.split(",").map(Number));

/** As OpenTelemetry's specification names them ("Environment Variable Specification"). */
const TRACE_SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** For a rule over several variables: it is also told beside the problems of others, so that all are at once. */
const unlessWrong = (...names: readonly string[]) => ({
  when: ({ issues }: { issues: readonly { readonly path?: readonly PropertyKey[] }[] }) =>
    !issues.some(({ path }) => names.includes(String(path?.[0]))),
});

/** Every environment variable that Parley reads; .env.example explains each. */
export const environmentSchema = z
  .object({
    HOST: z.string().default("127.0.0.1"),
    PORT: integer(0, 65_535).default(8080),
    DATA_DIR: z.string().default("./data"),
    LOG_LEVEL: oneOf(["debug", "info", "warn", "error", "silent"]).default("info"),
    SHUTDOWN_GRACE_SECONDS: integer(0, 3_600).default(25),
    /** `auto` is one for each core that this process may use. */
    WORKERS: integerOrAuto(1, 256, availableParallelism).default(1),

    METRICS_USER_ID: flag().default(false),
    METRICS_MAX_USERS: integer(1, 10_000).default(100),

    OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl().optional(),
    OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
    OTEL_SERVICE_NAME: z.string().default("parley"),
    OTEL_RESOURCE_ATTRIBUTES: z.string().optional(),
    OTEL_TRACES_SAMPLER: oneOf(TRACE_SAMPLERS).default("parentbased_always_on"),
    OTEL_TRACES_SAMPLER_ARG: number(0, 1).default(1),
    OTEL_CAPTURE_CONTENT: flag().default(false),

    API_KEYS: apiKeys().default([]),
    API_KEY_LIMITS: apiKeyLimits().default([]),
    ALLOW_ANONYMOUS: flag().default(false),
    API_RATE_LIMIT_RPS: integer(0, 1_000_000).default(10),
    API_RATE_LIMIT_BURST: integer(0, 1_000_000).default(20),
    TRUSTED_PROXIES: networks().default([]),
    CORS_ORIGINS: origins().default([]),
    MAX_CONNECTIONS: integer(1, 1_000_000).default(4_000),
    MAX_CONCURRENT_TURNS: integer(1, 1_000_000).default(1_000),
    MAX_EVENT_LOOP_DELAY_MS: integer(0, 60_000).default(500),

    MONGO_URI: z
      .string()
      .regex(/^mongodb(\+srv)?:\/\/\S+$/, "must look like mongodb://host:27017/parley")
      .optional(),
    MONGO_TIMEOUT_MS: integer(100, 60_000).default(2_500),
    MONGO_APP_NAME: z.string().default("parley"),
    MONGO_POOL_SIZE: integer(1, 10_000).default(100),

    REDIS_URL: z
      .string()
      .regex(/^rediss?:\/\/\S+$/, "must look like redis://host:6379")
      .optional(),
    REDIS_SENTINELS: addresses().optional(),
    REDIS_MASTER_NAME: z.string().default("mymaster"),
    REDIS_CLUSTER: addresses().optional(),
    REDIS_USERNAME: z.string().optional(),
    REDIS_PASSWORD: z.string().optional(),
    REDIS_TLS: flag().default(false),
    REDIS_TIMEOUT_MS: integer(10, 60_000).default(500),
    CACHE_TTL_HOURS: integer(1, 24 * 30).default(24),
    CACHE_MAX_MB: integer(1, 65_536).default(32),

    OPENAI_API_KEY: headerText().optional(),
    OPENAI_MODEL: z.string().default("gpt-5-mini"),
    OPENAI_BASE_URL: httpUrl().optional(),
    OPENAI_MAX_OUTPUT_TOKENS: integer(1).optional(),
    PRICES_FILE: z.string().optional(),

    MODEL_TIMEOUT_SECONDS: integer(1, 3_600).default(60),
    MODEL_MAX_CONCURRENCY: integer(1, 100_000).default(256),
    MODEL_MAX_QUEUE: integer(0, 1_000_000).default(1_024),
    RETRY_MAX_ATTEMPTS: integer(1, 10).default(3),
    RETRY_BASE_DELAY_MS: integer(0, 60_000).default(500),
    RETRY_MAX_DELAY_MS: integer(0, 600_000).default(5_000),
    CIRCUIT_BREAKER_MAX_FAILURES: integer(1, 1_000).default(3),
    CIRCUIT_BREAKER_COOLDOWN_SECONDS: integer(1, 3_600).default(30),

    MAX_MESSAGE_CHARS: integer(1, 1_000_000).default(32_000),
    MAX_BODY_BYTES: integer(1_024, 64 * 1_048_576).default(1_048_576),
    SESSION_TTL_MINUTES: integer(1).default(30),
    HISTORY_TOKENS: integer(0).default(16_000),
    MAX_TOOL_ROUNDS: integer(1, 100).default(15),
    TURN_TIMEOUT_SECONDS: integer(1, 3_600).default(120),
    TURN_WAIT_SECONDS: integer(1, 3_600).default(30),
    TURN_LEASE_SECONDS: integer(1, 600).default(10),

    DEFAULT_TIMEZONE: timezone.optional(),
    DEFAULT_LOCALE: locale.default("en"),
    WEATHER_API_KEY: z.string().optional(),
    WEATHER_API_BASE_URL: httpUrl().default("https://api.weatherapi.com"),
    OPEN_METEO_GEOCODING_URL: httpUrl().default("https://geocoding-api.open-meteo.com"),
    OPEN_METEO_FORECAST_URL: httpUrl().default("https://api.open-meteo.com"),
    HOLIDAY_COUNTRY: z
      .string()
      .regex(/^[A-Za-z]{2}$/, "must be an ISO 3166-1 alpha-2 country code, such as ES")
      .optional(),
    HOLIDAY_REGION: z.string().optional(),
    HOLIDAY_CALENDAR_URL: z
      .url({
        protocol: /^(https?|webcal)$/,
        error: "must be an http, https or webcal URL, such as https://example.com/holidays.ics",
      })
      .transform((url) => url.replace(/^webcal:/i, "https:"))
      .optional(),

    SENTRY_DSN: z
      .url({
        protocol: /^https?$/,
        error: "must be a DSN of Sentry, such as https://key@sentry.example.com/1",
        abort: true,
      })
      .regex(
        /^https?:\/\/[^@/]+@[^@]+\/\d+$/,
        "must have a key before the host and a project's number at its end",
      )
      .optional(),
    SENTRY_ENVIRONMENT: z.string().default("production"),

    OUTBOUND_ALLOW: allowRules().default([]),

    API_URL: serverUrl().default("http://127.0.0.1:8080"),
    API_KEY: headerText().optional(),

    TELEGRAM_BOT_TOKEN: z
      .string()
      .regex(/^\d+:[\w-]+$/, "must be a token as @BotFather gives it")
      .optional(),
    TELEGRAM_API_ROOT: httpUrl().default("https://api.telegram.org"),
    TELEGRAM_ALLOWED: telegramIds().optional(),
    TELEGRAM_MESSAGES_PER_MINUTE: integer(1, 100_000).default(20),
    TELEGRAM_PARALLEL: integer(1, 100).default(100),
    TELEGRAM_WEBHOOK_URL: httpUrl().optional(),
    TELEGRAM_WEBHOOK_HOST: z.string().default("127.0.0.1"),
    TELEGRAM_WEBHOOK_PORT: integer(0, 65_535).default(8443),
    TELEGRAM_MONITOR_HOST: z.string().default("127.0.0.1"),
    TELEGRAM_MONITOR_PORT: integer(0, 65_535).default(8081),
  })
  .refine((c) => [c.REDIS_URL, c.REDIS_SENTINELS, c.REDIS_CLUSTER].filter(Boolean).length <= 1, {
    path: ["REDIS_URL"],
    error: "is one of three: set REDIS_URL, REDIS_SENTINELS or REDIS_CLUSTER, not several",
    ...unlessWrong("REDIS_URL", "REDIS_SENTINELS", "REDIS_CLUSTER"),
  })
  .refine((c) => c.API_KEY_LIMITS.every((limit) => c.API_KEYS.some((key) => key.name === limit.name)), {
    path: ["API_KEY_LIMITS"],
    error: "names a key that is not in API_KEYS, where it must be name:key",
    ...unlessWrong("API_KEYS", "API_KEY_LIMITS"),
  })
  .refine((c) => c.HOLIDAY_COUNTRY || !c.HOLIDAY_REGION, {
    path: ["HOLIDAY_REGION"],
    error: "must come with HOLIDAY_COUNTRY, whose region it is",
    ...unlessWrong("HOLIDAY_COUNTRY"),
  })
  .superRefine(
    (config, { addIssue }) => {
      for (const name of OUTBOUND_URLS) {
        const missing = config[name] && missingEntry(new URL(config[name]), config.OUTBOUND_ALLOW);
        if (!missing) continue;
        const message = `points at ${missing}, which is not on the public internet; if that is meant, add ${missing} to OUTBOUND_ALLOW`;
        addIssue({ code: "custom", path: [name], message });
      }
    },
    unlessWrong(...OUTBOUND_URLS, "OUTBOUND_ALLOW"),
  );

export type Config = Readonly<z.output<typeof environmentSchema>>;

/** Lists every problem of the configuration, one a line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Checks the variables all at once; an empty one counts as not set. Space around a value, such as the line's
 * end after a key from a file, is no part of it.
 *
 * @throws ConfigError
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const set = Object.entries(environment)
    .map(([name, value = ""]) => [name, value.trim()] as const)
    .filter(([, value]) => value !== "");
  const parsed = environmentSchema.safeParse(Object.fromEntries(set));
  if (parsed.success) return Object.freeze(parsed.data);
  const problems = parsed.error.issues.map(({ path, message }) => `  ${path.join(".")}: ${message}`);
  throw new ConfigError(`The configuration has problems:\n${problems.join("\n")}\nSee .env.example.`);
}

/** Whether a URL has a name or password before its host. */
export function holdsLogin(url: string): boolean {
  const { username, password } = URL.parse(url) ?? {};
  return Boolean(username || password);
}

/** Whether only programs on this machine reach a server that listens there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/**
 * A server without API keys is for the machine that it runs on, unless its owner says otherwise.
 *
 * @throws ConfigError
 */
export function requireGuard({ HOST, API_KEYS, ALLOW_ANONYMOUS }: Config): void {
  if (API_KEYS.length > 0 || ALLOW_ANONYMOUS || isLoopback(HOST)) return;
  throw new ConfigError(
    [
      `HOST=${HOST} opens the server to other machines, and it has no API keys. Choose one:`,
      "  API_KEYS=name:key, with a key made by: openssl rand -hex 24",
      "  HOST=127.0.0.1, for this machine alone",
      "  ALLOW_ANONYMOUS=true, if everyone who can reach the server may use it and read all conversations",
      "See .env.example.",
    ].join("\n"),
  );
}

/**
 * The process's configuration: its environment, then the file .env, which fills what that leaves out.
 *
 * @throws ConfigError
 */
export function loadConfig(): Config {
  // For libraries too, which read variables of their own.
  Object.assign(process.env, { ...readEnvFile(), ...process.env });
  return readConfig(process.env);
}

/**
 * What {@link loadConfig} would say now. The environment stays as it is, so that a process started from
 * this one reads .env as it is then.
 *
 * @throws ConfigError
 */
export function previewConfig(): Config {
  return readConfig({ ...readEnvFile(), ...process.env });
}

function readEnvFile(): NodeJS.Dict<string> {
  if (!existsSync(".env")) return {};
  try {
    // A byte order mark, as some editors write it, would be a part of the first name.
    return parseEnv(readFileSync(".env", "utf8").replace(/^\ufeff/, ""));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`The file .env can't be read (${reason}). Mend it, or remove it.`);
  }
}
