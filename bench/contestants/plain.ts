import { join, resolve } from "node:path";
import type { Bench } from "../harness/bench.ts";
import { NODE, type ServerSpec } from "../harness/server.ts";
import { DRIVER_LOOP, ECHO, FLOOR } from "../report/names.ts";

const SERVERS = resolve(import.meta.dirname, "../servers");

/** The fake model provider. */
export function provider(bench: Pick<Bench, "folder">): ServerSpec {
  return plain(bench, "provider", "provider.ts", {});
}

/** node:http, undici, two model calls and a tool, nothing else. */
export function floor(bench: Bench, providerSettings?: string): ServerSpec {
  return plain(bench, FLOOR, "floor.ts", { MODEL_URL: bench.providerUrl(providerSettings) });
}

/** A bare node:http server that sends back what it gets. */
export function echo(bench: Bench): ServerSpec {
  return plain(bench, ECHO, "echo.ts", {});
}

/** Takes traces, and keeps none. */
export function collector(bench: Bench): ServerSpec {
  return plain(bench, "collector", "collector.ts", {});
}

/** Four writes a turn over the driver, without a turn. */
export function driverLoop(bench: Bench, mongoUri: string): ServerSpec {
  return plain(bench, DRIVER_LOOP, "mongo-loop.ts", { MONGO_URI: mongoUri });
}

/** Calls of a model, and nothing but them; see servers/model-caller.ts. */
export function modelCaller(
  bench: Bench,
  name: string,
  { caller, calls, providerSettings }: { caller: string; calls: number; providerSettings: string },
): ServerSpec {
  const env = { CALLER: caller, CALLS: String(calls), MODEL_URL: bench.providerUrl(providerSettings) };
  // Parley's own source has what Node.js takes no notice of without this.
  return plain(bench, name, "model-caller.ts", env, ["--experimental-transform-types"]);
}

function plain(
  bench: Pick<Bench, "folder">,
  name: string,
  file: string,
  env: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): ServerSpec {
  return {
    name,
    command: () => [NODE, ...flags, join(SERVERS, file)],
    env: { NODE_ENV: "production", ...env },
    logFile: join(bench.folder, `${file}.log`),
  };
}
