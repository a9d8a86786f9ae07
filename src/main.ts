import cluster from "node:cluster";
import { isatty } from "node:tty";
import { type Config, ConfigError, loadConfig, previewConfig } from "./config.ts";
import type { Logger } from "./core/logger.ts";
import { createLogger } from "./observability/logger.ts";
import { openSentry } from "./open-sentry.ts";
import type { Program } from "./program.ts";
import { startProblem } from "./start-problem.ts";
import { StartFailed } from "./workers/pool.ts";

/** How long the last reports may take to be sent, in milliseconds. */
const SENTRY_CLOSE_MS = 2_000;
const STDOUT = 1;

/** Exit codes: 0 stopped on request, 1 failed, 2 wrong configuration, 130 stopped in a hurry. */
async function main(): Promise<void> {
  const supervises = cluster.isPrimary && configOrExit(previewConfig).WORKERS > 1;
  // What workers find in .env is not the primary's to keep.
  const config = configOrExit(supervises ? previewConfig : loadConfig);
  const sentry = await openSentry(config);
  const log = createLogger(config.LOG_LEVEL, {
    traced: config.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined,
    worker: cluster.worker?.id,
    faults: sentry,
  });
  let exitCode = 0;
  let ending = false;
  const end = async (code = 0) => {
    exitCode ||= code;
    if (ending) return;
    ending = true;
    await program.stop().catch((error) => {
      log.error({ err: error }, "The server did not stop in order");
      exitCode ||= 1;
    });
    await sentry?.close(SENTRY_CLOSE_MS);
    log.info({}, "Stopped");
    process.exit(exitCode);
  };
  const program = await createProgram(supervises, config, log, (code) => void end(code));

  let faults = 0;
  const onFault = (error: unknown) => {
    faults++;
    program.countFault?.();
    log.fatal({ err: error, faults }, "The server has a fault: it stops when the turns at work have ended");
    void end(1);
  };
  process.on("uncaughtException", onFault);
  process.on("unhandledRejection", onFault);

  const onSignal = (signal: NodeJS.Signals) => {
    if (ending) process.exit(130);
    log.info({}, `${signal}: stopping when the turns at work have ended; again to stop at once`);
    void end();
  };
  const onTerminal = isatty(STDOUT);
  process.on("SIGTERM", onSignal);
  // These two a terminal sends to workers as well; what becomes of them is for the primary to say.
  process.on("SIGINT", (signal) => cluster.isPrimary && onSignal(signal));
  process.on("SIGHUP", (signal) => {
    if (cluster.isWorker) return;
    const terminalIsGone = onTerminal && !isatty(STDOUT);
    if (terminalIsGone) onSignal(signal);
    else program.renew?.();
  });

  try {
    await program.start();
  } catch (error) {
    if (ending) return;
    if (error instanceof ConfigError) exitForConfig(error);
    log.fatal({}, startProblem(error));
    void end(error instanceof StartFailed ? error.exitCode : 1);
  }
}

/** Loads what it needs alone: the primary of several workers does without all that serves. */
async function createProgram(
  supervises: boolean,
  config: Config,
  log: Logger,
  end: (exitCode?: number) => void,
): Promise<Program> {
  if (supervises) return (await import("./supervise.ts")).supervise(config, log, end);
  return (await import("./serve.ts")).serve(config, log, end);
}

function configOrExit(read: () => Config): Config {
  try {
    return read();
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
