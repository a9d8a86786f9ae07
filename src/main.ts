import { type App, startApp } from "./app.ts";
import { type Config, ConfigError, loadConfig } from "./config.ts";
import { AppError } from "./core/errors.ts";
import { createLogger } from "./observability/logger.ts";

/** Exit codes: 0 stopped on request, 1 failed, 2 wrong configuration, 130 stopped in a hurry. */
async function main(): Promise<void> {
  const config = configOrExit();
  const log = createLogger(config.LOG_LEVEL);
  const fail = (message: string) => (error: unknown) => {
    log.fatal({ err: error }, message);
    process.exit(1);
  };
  process.on("uncaughtException", fail("The server has a fault and stops"));
  process.on("unhandledRejection", fail("The server has a fault and stops"));

  let app: App;
  try {
    app = await startApp(config, { log });
  } catch (error) {
    log.fatal(startProblem(error));
    process.exit(1);
  }

  let stopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) process.exit(130);
    stopping = true;
    log.info(`${signal}: stopping when the turns at work have ended; again to stop at once`);
    await app.stop();
    log.info("Stopped");
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
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
    console.error(error.message);
    process.exit(2);
  }
}

await main();
