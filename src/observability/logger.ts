import type { Writable } from "node:stream";
import { type DestinationStream, type LoggerOptions, type Logger as PinoLogger, pino } from "pino";
import pretty, { type PrettyOptions } from "pino-pretty";
import { LOG_FIELDS, type LogFields, type Logger } from "../core/logger.ts";
import { errorFields } from "./error-fields.ts";
import { type FaultReporter, reportTo } from "./fault-reporter.ts";
import { activeSpanIds } from "./tracing.ts";

export interface LoggerSettings {
  /** Default: whether standard output is one. */
  readonly terminal?: boolean;
  /** Whether lines have the ids of the span in which they were written. */
  readonly traced?: boolean;
  /** The number of this process, where it is one of several workers: on each line. */
  readonly worker?: number;
  /** Is told of each error at level `error` and `fatal`. */
  readonly faults?: Pick<FaultReporter, "report">;
  /** Where lines go. Default: standard output. */
  readonly out?: Writable;
}

const PRETTY: PrettyOptions = {
  sync: true,
  singleLine: true,
  ignore: "pid,hostname,worker",
  translateTime: "SYS:HH:MM:ss",
  messageFormat: "{if worker}[{worker}] {end}{msg}",
};
/**
 * How long a line may wait for others to be written with, in milliseconds, and how many characters may wait: a
 * part that is as long as a pipe holds (64 KB) would be torn by those of other workers.
 */
const GATHERING = { ms: 20, characters: 16_384 };
/** What may wait while nobody reads the output, in characters: lines beyond are dropped. */
const MAX_UNREAD = 16 * 1_048_576;
const STDOUT = 1;
const FIELDS: ReadonlySet<string> = new Set([...LOG_FIELDS, "trace_id", "span_id"]);

/**
 * JSON lines on standard output; readable ones when that is a terminal. A line has the fields of
 * {@link LOG_FIELDS} and no other, whatever it was given.
 */
export function createLogger(
  level: string,
  { terminal = process.stdout.isTTY, traced = false, worker, faults, out }: LoggerSettings = {},
): FieldLogger {
  const options: LoggerOptions = {
    level,
    base: worker === undefined ? undefined : { worker },
    formatters: { log: allowed },
    serializers: { err: errorFields(level === "debug") },
    ...(traced && { mixin: activeSpanIds }),
    ...(faults && { hooks: reportTo(faults) }),
  };
  return new FieldLogger(
    terminal
      ? pino(options, pretty({ ...PRETTY, destination: out ?? STDOUT }))
      : pino(options, out ?? gatheredOutput()),
  );
}

/**
 * Standard output, where lines that come close together are written together: a write costs more than a line.
 * They are gathered here, since pino's destination goes over all that it holds again with each line it gets.
 */
function gatheredOutput(): DestinationStream {
  let gathered = "";
  let timer: NodeJS.Timeout | undefined;
  const pass = () => {
    clearTimeout(timer);
    timer = undefined;
    if (gathered !== "") output.write(gathered);
    gathered = "";
  };
  // Before that of pino's destination, which then writes what it was given.
  process.on("exit", pass);
  const output = pino.destination({ dest: STDOUT, sync: false, maxLength: MAX_UNREAD });
  return {
    write(line) {
      gathered += line;
      if (gathered.length >= GATHERING.characters) pass();
      else timer ??= setTimeout(pass, GATHERING.ms);
    },
  };
}

/** Adds fields to the lines of another log. Pino's own children cost as much as the lines themselves. */
class FieldLogger implements Logger {
  readonly #root: PinoLogger;
  readonly #fields: LogFields | undefined;

  constructor(root: PinoLogger, fields?: LogFields) {
    this.#root = root;
    this.#fields = fields;
  }

  debug(fields: LogFields, message: string): void {
    if (this.#root.isLevelEnabled("debug")) this.#root.debug(this.#with(fields), message);
  }

  info(fields: LogFields, message: string): void {
    this.#root.info(this.#with(fields), message);
  }

  warn(fields: LogFields, message: string): void {
    this.#root.warn(this.#with(fields), message);
  }

  error(fields: LogFields, message: string): void {
    this.#root.error(this.#with(fields), message);
  }

  /** What ends the process. */
  fatal(fields: LogFields, message: string): void {
    this.#root.fatal(this.#with(fields), message);
  }

  child(fields: LogFields): FieldLogger {
    return new FieldLogger(this.#root, this.#with(fields));
  }

  #with(fields: LogFields): LogFields {
    return this.#fields ? { ...this.#fields, ...fields } : fields;
  }
}

function allowed(fields: Record<string, unknown>): Record<string, unknown> {
  for (const name in fields) if (!FIELDS.has(name)) return withAllowed(fields);
  return fields;
}

function withAllowed(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => FIELDS.has(name)));
}
