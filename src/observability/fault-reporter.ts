import { type Level, type LoggerOptions, pino } from "pino";
import type { LogFields } from "../core/logger.ts";

/** An error that the log has at level `error` or `fatal`. */
export interface Fault {
  readonly level: "error" | "fatal";
  readonly error: unknown;
  readonly requestId?: string;
  readonly turnId?: string;
}

/** Tells of faults somewhere else than in the log. */
export interface FaultReporter {
  /** Never throws, and waits for nothing. */
  report(fault: Fault): void;
  /** Resolves when what was reported has been sent, or `timeoutMs` are over. Never rejects. */
  close(timeoutMs: number): Promise<void>;
}

/** A logger's hooks that report the error of each line at level `error` or `fatal` that has one. */
export function reportTo(faults: Pick<FaultReporter, "report">): LoggerOptions["hooks"] {
  return {
    logMethod(args, method, number) {
      method.apply(this, args);
      const level = pino.levels.labels[number] as Level;
      const [fields] = args as [unknown];
      if ((level !== "error" && level !== "fatal") || typeof fields !== "object" || !fields) return;
      if (!("err" in fields)) return;
      const { err: error, request_id: requestId, turn_id: turnId } = fields as LogFields;
      faults.report({ level, error, requestId: asText(requestId), turnId: asText(turnId) });
    },
  };
}

function asText(id: unknown): string | undefined {
  return typeof id === "string" ? id : undefined;
}
