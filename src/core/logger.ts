type LogMethod = (fields: Record<string, unknown>, message: string) => void;

/** The part of pino's interface that the core uses. Fields never hold user text or secrets. */
export interface Logger {
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
}
