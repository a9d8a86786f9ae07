import { pino } from "pino";
import pretty from "pino-pretty";
import { errorFields } from "./error-fields.ts";

/** JSON lines on standard output; readable ones when that is a terminal. */
export function createLogger(level: string, terminal = process.stdout.isTTY) {
  const serializers = { err: errorFields(level === "debug") };
  const options = { level, base: undefined, serializers };
  if (!terminal) return pino(options);
  return pino(options, pretty({ sync: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss" }));
}
