import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ConfigError, environmentSchema, loadConfig, previewConfig, readConfig } from "../../src/config.ts";

describe("the file .env", () => {
  const home = process.cwd();
  beforeEach(() => process.chdir(mkdtempSync(join(tmpdir(), "parley-env-"))));
  afterEach(() => {
    const folder = process.cwd();
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });

  test("fills what the environment leaves out, whatever editor wrote it", () => {
    writeFileSync(".env", "\ufeffMONGO_APP_NAME=first\r\nPATH=/nowhere\r\n");
    const path = process.env.PATH;
    expect(previewConfig().MONGO_APP_NAME).toBe("first");
    expect(process.env.MONGO_APP_NAME).toBeUndefined();
    expect(loadConfig().MONGO_APP_NAME).toBe("first");
    expect(process.env).toMatchObject({ MONGO_APP_NAME: "first", PATH: path });
    delete process.env.MONGO_APP_NAME;
  });

  test("that can't be read is a problem of the configuration", () => {
    mkdirSync(".env");
    for (const read of [previewConfig, loadConfig]) {
      expect(read).toThrow(ConfigError);
      expect(read).toThrow(/^The file \.env can't be read \(.+\)\. Mend it, or remove it\.$/);
    }
  });
});

describe("readConfig", () => {
  test("has a default for all that a first start needs", () => {
    expect(readConfig({})).toMatchObject({ HOST: "127.0.0.1", PORT: 8080, TURN_TIMEOUT_SECONDS: 120 });
  });

  test("an empty variable counts as not set", () => {
    expect(readConfig({ OPENAI_API_KEY: "", PORT: " " })).toMatchObject({ PORT: 8080 });
    expect(readConfig({ OPENAI_API_KEY: "" }).OPENAI_API_KEY).toBeUndefined();
  });

  test("space around a value is no part of it", () => {
    expect(readConfig({ HOST: " ::1 ", LOG_LEVEL: "warn ", OPENAI_API_KEY: "sk-1\r\n" })).toMatchObject({
      HOST: "::1",
      LOG_LEVEL: "warn",
      OPENAI_API_KEY: "sk-1",
    });
  });

  test("lists what is wrong between variables beside what is wrong with others", () => {
    const read = () =>
      readConfig({
        PORT: "http",
        REDIS_URL: "redis://a:6379",
        REDIS_CLUSTER: "b:6379",
        API_KEY_LIMITS: "telegram:1:1",
        HOLIDAY_REGION: "CT",
        OPENAI_BASE_URL: "http://127.0.0.1/v1",
      });
    for (const name of ["PORT", "REDIS_URL", "API_KEY_LIMITS", "HOLIDAY_REGION", "OPENAI_BASE_URL"]) {
      expect(read).toThrow(new RegExp(`^  ${name}: `, "m"));
    }
  });

  test.each(["API_KEY", "OPENAI_API_KEY"])("%s must fit into a header, and is not shown", (name) => {
    expect(() => readConfig({ [name]: "secret\nsecret" })).toThrow(
      new ConfigError(
        `The configuration has problems:\n  ${name}: must be one line of letters, digits and signs of ASCII\nSee .env.example.`,
      ),
    );
  });

  test("lists every problem at once, by name", () => {
    const read = () =>
      readConfig({
        PORT: "http",
        OPENAI_BASE_URL: "localhost",
        LOG_LEVEL: "loud",
        DEFAULT_TIMEZONE: "Mars/Olympus",
        DEFAULT_LOCALE: "not a locale",
        HOLIDAY_COUNTRY: "Spain",
      });
    expect(read).toThrow(ConfigError);
    for (const name of [
      "PORT",
      "OPENAI_BASE_URL",
      "LOG_LEVEL",
      "DEFAULT_TIMEZONE",
      "DEFAULT_LOCALE",
      "HOLIDAY_COUNTRY",
    ]) {
      expect(read).toThrow(new RegExp(`^  ${name}: `, "m"));
    }
  });

  test.each([
    ["PORT", "abc", 'must be a whole number from 0 to 65535; it is "abc"'],
    ["PORT", "80.5", 'must be a whole number from 0 to 65535; it is "80.5"'],
    ["PORT", "65536", 'must be a whole number from 0 to 65535; it is "65536"'],
    ["SESSION_TTL_MINUTES", "0", 'must be a whole number of at least 1; it is "0"'],
    ["SESSION_TTL_MINUTES", "1e300", 'must be a whole number of at least 1; it is "1e300"'],
    ["WORKERS", "all", 'must be auto or a whole number from 1 to 256; it is "all"'],
    ["OTEL_TRACES_SAMPLER_ARG", "1.1", 'must be a number from 0 to 1; it is "1.1"'],
    ["LOG_LEVEL", "loud", 'must be debug, info, warn, error or silent; it is "loud"'],
    ["ALLOW_ANONYMOUS", "maybe\u0007", 'must be true or false; it is "maybe\\u0007"'],
    ["DEFAULT_TIMEZONE", "+01:00", "must be an IANA time zone name, such as Europe/Madrid"],
    ["API_URL", "localhost", "must be an http or https URL, such as https://example.com"],
    ["MONGO_URI", "db:27017", "must look like mongodb://host:27017/parley"],
    ["REDIS_SENTINELS", "a,b", "must be a list of host:port, such as a:6379,b:6379"],
    ["TRUSTED_PROXIES", "::1,me", "entry 2: must be an IP address or a range of them, such as 10.0.0.0/8"],
    ["TELEGRAM_ALLOWED", "@ann", "must be a list of numeric ids, such as 12345,-67890"],
  ])("%s=%s is told what it must be", (name, value, problem) => {
    expect(() => readConfig({ [name]: value })).toThrow(
      new ConfigError(`The configuration has problems:\n  ${name}: ${problem}\nSee .env.example.`),
    );
  });

  test.each([
    ["PORT", "0", 0],
    ["PORT", " 65535 ", 65_535],
    ["WORKERS", "256", 256],
    ["WORKERS", "auto", availableParallelism()],
    ["OTEL_TRACES_SAMPLER_ARG", "0.25", 0.25],
    ["LOG_LEVEL", "silent", "silent"],
    ["ALLOW_ANONYMOUS", "Yes", true],
    ["ALLOW_ANONYMOUS", "0", false],
    ["TELEGRAM_ALLOWED", "1, -2", [1, -2]],
  ])("%s=%s is taken", (name, text, value) => {
    expect(readConfig({ [name]: text })).toMatchObject({ [name]: value });
  });

  const secret = "sk-0123456789abcdef: oops";
  const names = Object.keys(environmentSchema.shape);
  const refusing = names.filter((name) => !environmentSchema.safeParse({ [name]: secret }).success);

  test("variables refuse what they can't be", () => {
    expect(refusing).toEqual(expect.arrayContaining(["PORT", "API_KEYS", "MONGO_URI", "SENTRY_DSN"]));
    expect(refusing.length).toBeGreaterThan(names.length / 2);
  });

  test.each(refusing)(
    "%s is told in plain words what it must be, and not what it is: that may be a secret",
    (name) => {
      const problem = new RegExp(
        `^The configuration has problems:\n  ${name}: (entry 1: )?must .+\nSee .env.example.$`,
      );
      expect(() => readConfig({ [name]: secret })).toThrow(problem);
      expect(() => readConfig({ [name]: secret })).not.toThrow(/0123456789|oops/);
    },
  );

  test.each([
    ["sentry.example.com/1", /SENTRY_DSN: must be a DSN/],
    ["https://sentry.example.com/1", /SENTRY_DSN: must have a key before the host/],
    ["https://key@sentry.example.com", /SENTRY_DSN: must have a key before the host/],
    ["https://key@10.0.0.5:9000/1", /SENTRY_DSN: .*add 10\.0\.0\.5:9000 to OUTBOUND_ALLOW/],
  ])("%s is no DSN that can be used", (dsn, problem) => {
    expect(() => readConfig({ SENTRY_DSN: dsn })).toThrow(problem);
  });

  test("a DSN of Sentry is taken as it is", () => {
    const dsn = "https://0123456789abcdef@o1.ingest.example.com/42";
    expect(readConfig({ SENTRY_DSN: dsn })).toMatchObject({ SENTRY_DSN: dsn });
  });

  test("a webcal address is one of https", () => {
    expect(readConfig({ HOLIDAY_CALENDAR_URL: "webcal://calendar.example/feed.ics" })).toMatchObject({
      HOLIDAY_CALENDAR_URL: "https://calendar.example/feed.ics",
    });
  });

  test("a URL that is not public names the entry that it lacks, beside all other problems", () => {
    const environment = {
      OPENAI_BASE_URL: "http://localhost:11434/v1",
      OPEN_METEO_FORECAST_URL: "http://[::1]",
      HOLIDAY_CALENDAR_URL: "webcal://10.1/token.ics",
      PORT: "http",
    };
    const read = (changes: object) => () => readConfig({ ...environment, ...changes });
    expect(read({})).toThrow(/^ {2}OPENAI_BASE_URL: .*add localhost:11434 to OUTBOUND_ALLOW$/m);
    expect(read({})).toThrow(/^ {2}OPEN_METEO_FORECAST_URL: .*add \[::1\]:80 to OUTBOUND_ALLOW$/m);
    expect(read({})).toThrow(/^ {2}HOLIDAY_CALENDAR_URL: .*add 10\.0\.0\.1:443 to OUTBOUND_ALLOW$/m);
    expect(read({})).toThrow(/^ {2}PORT: /m);
    expect(read({})).not.toThrow(/token/);
    const allow = { OUTBOUND_ALLOW: "localhost:11434, ::1,10.0.0.0/8", PORT: "80" };
    expect(read(allow)).not.toThrow();
    expect(read({ ...allow, OUTBOUND_ALLOW: "localhost:11434,*" })).toThrow(/^ {2}OUTBOUND_ALLOW: must be/m);
  });

  test("is frozen", () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });
});

describe(".env.example", () => {
  const documented = new Map(
    [...readFileSync(".env.example", "utf8").matchAll(/^# ([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(
      ([, name = "", value = ""]) => [name, value],
    ),
  );

  test("documents exactly the variables that there are", () => {
    expect([...documented.keys()].sort()).toEqual(Object.keys(environmentSchema.shape).sort());
  });

  test("shows the defaults", () => {
    const defaults = Object.fromEntries(
      Object.entries(readConfig({})).map(([name, value]) => [name, value === undefined ? "" : String(value)]),
    );
    for (const [name, value] of documented) expect([name, value]).toEqual([name, defaults[name] ?? ""]);
  });
});
