import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AppDeps, startApp } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { announce } from "../../src/start-up-lines.ts";
import { TestLog } from "./test-log.ts";

/** The whole server in this process, on a free port, with its data in a folder of its own. */
export async function startTestApp(environment: Record<string, string> = {}, deps: Partial<AppDeps> = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), "parley-app-"));
  const log = new TestLog();
  const config = readConfig({
    PORT: "0",
    DATA_DIR: dataDir,
    DEFAULT_TIMEZONE: "UTC",
    // Tests are in a hurry.
    API_RATE_LIMIT_RPS: "0",
    // Nothing answers there: tools that need the network fail at once.
    OPEN_METEO_GEOCODING_URL: "http://127.0.0.1:9",
    OPEN_METEO_FORECAST_URL: "http://127.0.0.1:9",
    RETRY_BASE_DELAY_MS: "1",
    // What the tests do beside it in this process is no load of the server's.
    MAX_EVENT_LOOP_DELAY_MS: "0",
    OUTBOUND_ALLOW: "127.0.0.1",
    ...environment,
  });
  const app = await startApp(config, { log, ...deps });
  announce(app, config, log);
  return {
    url: app.url,
    log,
    async stop() {
      await app.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}
