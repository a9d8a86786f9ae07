import { type App, startApp } from "./app.ts";
import { type Config, ConfigError, loadConfig } from "./config.ts";
import { AppError } from "./core/errors.ts";
import { createLogger } from "./observability/logger.ts";
import { openSentry } from "./open-sentry.ts";

/** How long the last reports may take to be sent, in milliseconds. */
const SENTRY_CLOSE_MS = 2_000;

/** Exit codes: 0 stopped on request, 1 failed, 2 wrong configuration, 130 stopped in a hurry. */
async function main(): Promise<void> {
  const config = configOrExit();
  const sentry = await openSentry(config);
  const log = createLogger(config.LOG_LEVEL, {
    traced: config.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined,
    faults: sentry,
  });
  let app: App | undefined;
  let exitCode = 0;

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    // What is not up yet has nothing at work.
    await app?.stop().catch((error) => {
      log.error({ err: error }, "The server did not stop in order");
      exitCode = 1;
    });
    await sentry?.close(SENTRY_CLOSE_MS);
    log.info({}, "Stopped");
    process.exit(exitCode);
  };

  let faults = 0;
  const onFault = (error: unknown) => {
    faults++;
    app?.countFault();
    exitCode = 1;
    log.fatal({ err: error, faults }, "The server has a fault: it stops when the turns at work have ended");
    void stop();
  };
  process.on("uncaughtException", onFault);
  process.on("unhandledRejection", onFault);

  try {
    app = await startApp(config, { log });
  } catch (error) {
    if (error instanceof ConfigError) exitForConfig(error);
    log.fatal({}, startProblem(error));
    process.exit(1);
  }

  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(130);
    log.info({}, `${signal}: stopping when the turns at work have ended; again to stop at once`);
    void stop();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
}

function startProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Nobody can look into the log of a server that has not started.
  const { message, cause } = error;
  return error instanceof AppError && cause instanceof Error ? `${message} (${cause.message})` : message;
}

function configOrExit(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    exitForConfig(error);
  }
}

function exitForConfig(error: ConfigError): never {
  console.error(error.message);
  process.exit(2);
}

await main();
