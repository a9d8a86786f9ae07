import cluster, { type Worker } from "node:cluster";
import { type App, startApp } from "./app.ts";
import type { Config } from "./config.ts";
import type { Logger } from "./core/logger.ts";
import type { Program } from "./program.ts";
import { announce } from "./start-up-lines.ts";
import { PrimaryLink } from "./workers/primary.ts";

/** The program of a process that serves: alone, or as one of several workers. */
export function serve(config: Config, log: Logger, end: () => void): Program {
  return cluster.worker ? serveAsWorker(config, log, end, cluster.worker) : serveAlone(config, log);
}

function serveAlone(config: Config, log: Logger): Program {
  let app: App | undefined;
  return {
    async start() {
      app = await startApp(config, { log });
      announce(app, config, log);
    },
    // What is not up yet has nothing at work.
    stop: async () => app?.stop(),
    renew() {
      log.warn({}, "SIGHUP restarts workers one by one, and this server has none: see WORKERS");
    },
    countFault: () => app?.countFault(),
  };
}

function serveAsWorker(config: Config, log: Logger, end: () => void, worker: Worker): Program {
  let app: App | undefined;
  /** What the primary wants; nothing when the end comes from within. */
  let wanted: "stop" | "retire" | undefined;
  const endAs = (what: typeof wanted) => {
    wanted ??= what;
    end();
  };
  const primary = new PrimaryLink(worker, {
    stop: () => endAs("stop"),
    retire: () => endAs("retire"),
    metrics: async () => app?.metrics() ?? [],
  });
  return {
    async start() {
      app = await startApp(config, { log, primary });
      await primary.ready(app);
    },
    async stop() {
      if (!app) return;
      if (!wanted) primary.leave();
      await (wanted === "stop" ? app.stop() : app.retire());
      await primary.bequeath(await app.metrics());
    },
    countFault: () => app?.countFault(),
  };
}
