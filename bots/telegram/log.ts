import { pino } from "pino";
import pretty from "pino-pretty";
import { type FaultReporter, reportTo } from "../../src/observability/fault-reporter.ts";

export type Log = Pick<pino.Logger, "debug" | "info" | "warn" | "error" | "fatal">;

export interface LogSettings {
  /** None of them is in a line, wherever in an error, an address or a header it came from. */
  readonly secrets: readonly string[];
  /** Is told of each error at level `error` and `fatal`. */
  readonly faults?: Pick<FaultReporter, "report">;
  /** Default: standard output. */
  readonly out?: Out;
}

/** JSON lines; readable ones when they go to a terminal. */
export function createLog(level: string, { secrets, faults, out = process.stdout }: LogSettings): Log {
  const write = (line: string) => out.write(withoutSecrets(line, secrets));
  const options = { level, base: undefined, ...(faults && { hooks: reportTo(faults) }) };
  if (!out.isTTY) return pino(options, { write });
  const readable = pretty({
    sync: true,
    ignore: "pid,hostname",
    translateTime: "SYS:HH:MM:ss",
    destination: 1,
  });
  return pino(options, { write: (line) => readable.write(withoutSecrets(line, secrets)) });
}

interface Out {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** A bot's token, in full and its secret half alone: addresses may write its colon as %3A. */
export function secretsOf(token: string): string[] {
  return [token, token.slice(token.indexOf(":") + 1)];
}

function withoutSecrets(line: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, "[secret]"), line);
}
