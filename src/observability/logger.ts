import { type Level, type LoggerOptions, pino } from "pino";
import pretty, { type PrettyOptions } from "pino-pretty";
import type { FaultReporter } from "./fault-reporter.ts";
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
}

const PRETTY: PrettyOptions = {
  sync: true,
  ignore: "pid,hostname,worker",
  translateTime: "SYS:HH:MM:ss",
  messageFormat: "{if worker}[{worker}] {end}{msg}",
};

/** JSON lines on standard output; readable ones when that is a terminal. */
export function createLogger(
  level: string,
  { terminal = process.stdout.isTTY, traced = false, worker, faults }: LoggerSettings = {},
) {
  const options = {
    level,
    base: worker === undefined ? undefined : { worker },
    ...(traced && { mixin: activeSpanIds }),
    ...(faults && { hooks: reportTo(faults) }),
  };
  if (!terminal) return pino(options);
  return pino(options, pretty(PRETTY));
}

function reportTo(faults: Pick<FaultReporter, "report">): LoggerOptions["hooks"] {
  return {
    logMethod(args, method, number) {
      method.apply(this, args);
      const level = pino.levels.labels[number] as Level;
      const [fields] = args as [unknown];
      if ((level !== "error" && level !== "fatal") || typeof fields !== "object" || !fields) return;
      if (!("err" in fields)) return;
      const { request_id: requestId, turn_id: turnId } = this.bindings();
      faults.report({ level, error: fields.err, requestId, turnId });
    },
  };
}
