import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { runCli } from "../../support/cli.ts";
import { built, NODE } from "../../support/server.ts";
import { expectNo, SECRETS } from "./canaries.ts";

const run = promisify(execFile);

describe("a program that does not start", () => {
  const { apiKey, modelKey, feedToken, feedPassword, mongoPassword, redisPassword, botToken } = SECRETS;
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "parley-canaries-"));
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  const nobody = `mongodb://ann:${mongoPassword}@127.0.0.1:9/parley`;

  test.each<[what: string, program: string, env: Record<string, string>]>([
    ["an API key that can't be one", "main.js", { API_KEYS: `ann:${apiKey} x, bob` }],
    ["an API key given twice", "main.js", { API_KEYS: `ann:${apiKey},bob:${apiKey}` }],
    ["an API key in place of a name", "main.js", { API_KEYS: apiKey, API_KEY_LIMITS: `${apiKey}:1:1` }],
    ["no API key on an open host", "main.js", { HOST: "0.0.0.0", OPENAI_API_KEY: modelKey }],
    ["a model's URL that is refused", "main.js", { OPENAI_BASE_URL: `http://ann:${modelKey}@10.0.0.1/v1` }],
    ["a model's URL that is none", "main.js", { OPENAI_BASE_URL: `ann:${modelKey}@` }],
    ["a feed that is refused", "main.js", { HOLIDAY_CALENDAR_URL: `http://10.0.0.1/a.ics?t=${feedToken}` }],
    ["a feed of another kind", "main.js", { HOLIDAY_CALENDAR_URL: `ftp://ann:${feedPassword}@host/a.ics` }],
    ["a MongoDB URI of another kind", "main.js", { MONGO_URI: `mongo://ann:${mongoPassword}@host` }],
    ["a MongoDB URI without a host", "main.js", { MONGO_URI: `mongodb://ann:${mongoPassword}@` }],
    ["a MongoDB URI with a bad port", "main.js", { MONGO_URI: `mongodb://ann:${mongoPassword}@host:1:2/x` }],
    ["MongoDB away", "main.js", { MONGO_URI: nobody }],
    ["MongoDB away", "migrate.js", { MONGO_URI: nobody }],
    ["MongoDB away", "backup.js", { MONGO_URI: nobody }],
    ["a Redis URL of another kind", "main.js", { REDIS_URL: `http://:${redisPassword}@host` }],
    ["a Redis URL with a bad port", "main.js", { REDIS_URL: `redis://:${redisPassword}@host:x` }],
    ["Redis twice", "main.js", { REDIS_URL: `redis://:${redisPassword}@host`, REDIS_CLUSTER: "host:1" }],
    ["a bot's token that can't be one", "main.js", { TELEGRAM_BOT_TOKEN: `${botToken} x` }],
    ["a host that is not this machine's", "main.js", { HOST: "192.0.2.1", API_KEYS: apiKey }],
    ["a data folder that can't be one", "main.js", { DATA_DIR: "/dev/null", API_KEYS: apiKey }],
  ])("%s: %s", async (_what, program, env) => {
    const outcome = await run(NODE, [built(program), ...(program === "migrate.js" ? ["up"] : [])], {
      cwd: dataDir,
      env: { PATH: process.env.PATH, PORT: "0", LOG_LEVEL: "debug", MONGO_TIMEOUT_MS: "200", ...env },
    }).catch((error: { code: number; stdout: string; stderr: string }) => error);
    const shown = outcome.stdout + outcome.stderr;
    expect(outcome).toMatchObject({ code: expect.any(Number) });
    expect(shown).toMatch(/\w{3}/);
    expectNo(Object.values(SECRETS), shown);
  });

  test("a client without a server", async () => {
    const url = `http://ann:${SECRETS.wrongApiKey}@127.0.0.1:9`;
    const { code, stdout, stderr } = await runCli(["ask", "-m", "Hello"], { url, env: { API_KEY: apiKey } });
    expect(code).not.toBe(0);
    expectNo(Object.values(SECRETS), stdout + stderr);
  });
});
