import { pino } from "pino";
import pretty from "pino-pretty";

export type Log = Pick<pino.Logger, "debug" | "info" | "warn" | "error" | "fatal">;

/**
 * JSON lines on standard output, readable ones when that is a terminal. None has a secret in it,
 * wherever in an error, an address or a header it came from.
 */
export function createLog(level: string, secrets: readonly string[], out: Out = process.stdout): Log {
  const write = (line: string) => out.write(withoutSecrets(line, secrets));
  const options = { level, base: undefined };
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
