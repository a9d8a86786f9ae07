import type { IncomingHttpHeaders } from "node:http";
import {
  applySdkMetadata,
  createStackParser,
  createTransport,
  type Event,
  parseStackFrames,
  Scope,
} from "@sentry/core";
import {
  nodeStackLineParser,
  ServerRuntimeClient,
  type ServerRuntimeClientOptions,
} from "@sentry/core/server";
import { AppError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { StreamingClient } from "../net/http-client.ts";
import type { Fault, FaultReporter } from "./fault-reporter.ts";

export interface SentryOptions {
  readonly dsn: string;
  readonly environment?: string;
  /** `parley@<version>`. */
  readonly release: string;
  readonly http: StreamingClient;
  /** Is told what could not be reported; it must not report in turn. */
  readonly log: Logger;
}

/** How long Sentry may take for one event; those that come meanwhile wait, 64 at most. */
const SEND_TIMEOUT_MS = 10_000;
/** Of an error's causes, itself included. */
const MAX_CAUSES = 5;

const parseStack = createStackParser(nodeStackLineParser());

/**
 * Faults as events of Sentry. An event holds nothing but where the fault happened (the errors' names,
 * codes and stack frames), the ids to find it in the log, and the server's release, environment and
 * Node.js. Texts of errors stay here: they may quote what a user wrote.
 *
 * It is built on @sentry/core, of which the SDKs for single platforms are made: those also bring
 * tracing and hooks into every module, for which Parley has OpenTelemetry and its own log.
 */
export class SentryReporter implements FaultReporter {
  readonly #client: ServerRuntimeClient;
  readonly #log: Logger;

  constructor({ dsn, environment, release, http, log }: SentryOptions) {
    this.#log = log;
    const options: ServerRuntimeClientOptions = {
      dsn,
      environment,
      release,
      platform: "node",
      runtime: { name: "node", version: process.version },
      integrations: [],
      traceLifecycle: "static",
      sendClientReports: false,
      stackParser: parseStack,
      transport: ({ url, headers, ...rest }) =>
        createTransport(rest, async ({ body }) => {
          try {
            const response = await http.post(new URL(url), {
              headers: { ...headers, "content-type": "application/x-sentry-envelope" },
              body: typeof body === "string" ? body : new TextDecoder().decode(body),
              signal: AbortSignal.timeout(SEND_TIMEOUT_MS),
            });
            response.dump();
            const { status } = response;
            if (status >= 300) log.warn({ status }, "Sentry did not take a report");
            return { statusCode: status, headers: limitsOf(response.headers) };
          } catch (error) {
            log.warn({ err: error }, "Sentry could not be reached with a report");
            throw error;
          }
        }),
    };
    applySdkMetadata(options, "core");
    this.#client = new ServerRuntimeClient(options);
  }

  report(fault: Fault): void {
    try {
      // A scope of its own: faults have no trace in common.
      this.#client.captureEvent(toEvent(fault), {}, new Scope());
    } catch (error) {
      this.#log.warn({ err: error }, "A fault could not be reported to Sentry");
    }
  }

  async close(timeoutMs: number): Promise<void> {
    await this.#client.close(timeoutMs);
  }
}

/** What Sentry says of when it takes the next report. */
function limitsOf(headers: IncomingHttpHeaders) {
  return {
    "x-sentry-rate-limits": headers["x-sentry-rate-limits"]?.toString() ?? null,
    "retry-after": headers["retry-after"] ?? null,
  };
}

function toEvent({ level, error, requestId, turnId }: Fault): Event {
  const causes = causesOf(error);
  const [outermost] = causes;
  return {
    level,
    tags: { request_id: requestId, turn_id: turnId, error_code: codeOf(outermost) },
    exception: {
      // Sentry wants the innermost cause first.
      values: causes.reverse().map((cause) => ({
        type: nameOf(cause),
        stacktrace: { frames: framesOf(cause) },
        mechanism: { type: "generic", handled: level !== "fatal" },
      })),
    },
  };
}

/** The error, its cause, the cause's cause and so on. The AppError around an unknown error tells nothing. */
function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  let cause = error instanceof AppError && error.cause !== undefined ? error.cause : error;
  while (cause !== undefined && causes.length < MAX_CAUSES) {
    causes.push(cause);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return `Thrown ${typeof error}`;
  return /^[\w.]{1,64}$/.test(error.name) ? error.name : "Error";
}

/** Such as ECONNRESET of Node.js. */
function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /^[A-Z\d_]{1,64}$/.test(code) ? code : undefined;
}

/** The stack's lines after the error's text, which may have lines that look like them. */
function framesOf(error: unknown) {
  if (!(error instanceof Error)) return [];
  const { stack = "", message } = error;
  const text = stack.indexOf(message);
  const frames = text < 0 ? "" : stack.slice(text + message.length);
  return parseStackFrames(parseStack, { name: error.name, message: "", stack: frames });
}
