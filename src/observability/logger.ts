import { pino } from "pino";
import pretty from "pino-pretty";
import { activeSpanIds } from "./tracing.ts";

export interface LoggerSettings {
  /** Default: whether standard output is one. */
  readonly terminal?: boolean;
  /** Whether lines have the ids of the span in which they were written. */
  readonly traced?: boolean;
}

/** JSON lines on standard output; readable ones when that is a terminal. */
export function createLogger(
  level: string,
  { terminal = process.stdout.isTTY, traced = false }: LoggerSettings = {},
) {
  const options = { level, base: undefined, ...(traced && { mixin: activeSpanIds }) };
  if (!terminal) return pino(options);
  return pino(options, pretty({ sync: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss" }));
}
