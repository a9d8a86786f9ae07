import type { Config } from "./config.ts";
import type { FaultReporter } from "./observability/fault-reporter.ts";
import { createLogger } from "./observability/logger.ts";
import { version } from "./version.ts";

/** Sentry, when SENTRY_DSN is set; its SDK is loaded only then. */
export async function openSentry(config: Config): Promise<FaultReporter | undefined> {
  const { SENTRY_DSN: dsn, SENTRY_ENVIRONMENT: environment } = config;
  if (dsn === undefined) return undefined;
  const { SentryReporter } = await import("./observability/sentry.ts");
  const { openOutbound } = await import("./net/outbound.ts");
  // Without reports: what goes wrong with one is no fault to report.
  const log = createLogger(config.LOG_LEVEL);
  const { streaming: http, close } = openOutbound({ rules: config.OUTBOUND_ALLOW, log });
  const sentry = new SentryReporter({ dsn, environment, release: `parley@${version}`, http, log });
  return {
    report: (fault) => sentry.report(fault),
    async close(timeoutMs) {
      await sentry.close(timeoutMs);
      await close();
    },
  };
}
