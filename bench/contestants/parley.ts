import { mkdtempSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Bench } from "../harness/bench.ts";
import type { ServerSpec } from "../harness/server.ts";
import { PARLEY } from "../report/names.ts";
import { MODEL } from "../servers/wire.ts";

const LAUNCHER = resolve(import.meta.dirname, "../../bin/parley-server");

export interface ParleyOptions {
  /** Default: Parley. */
  readonly name?: string;
  /** Of another build. */
  readonly dist?: string;
  /** Beside what a benchmark needs; the rest is as by default. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of Node.js. */
  readonly flags?: readonly string[];
  /** See servers/provider.ts. */
  readonly providerSettings?: string;
}

export interface ParleySpec extends ServerSpec {
  /** The embedded database, when that is what it uses. */
  readonly database: string;
}

/** The built server with fresh data: settings as by default, but no rate limits. */
export function parley(bench: Bench, options: ParleyOptions = {}): ParleySpec {
  const { name = PARLEY, dist = bench.dist, env, flags = [], providerSettings } = options;
  const folder = mkdtempSync(join(bench.folder, "parley-"));
  return {
    name,
    command: () => [LAUNCHER, ...flags, resolve(dist, "main.js")],
    // There is no .env file here.
    cwd: folder,
    env: {
      HOST: "127.0.0.1",
      DATA_DIR: folder,
      DEFAULT_TIMEZONE: "UTC",
      API_RATE_LIMIT_RPS: "0",
      OPENAI_BASE_URL: bench.providerUrl(providerSettings),
      OPENAI_MODEL: MODEL,
      OUTBOUND_ALLOW: "127.0.0.1",
      ...env,
    },
    readyPath: "/ready",
    logFile: join(folder, "parley.log"),
    database: join(folder, "parley.db"),
  };
}
