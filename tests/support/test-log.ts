import type { Logger } from "../../src/core/logger.ts";

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A log that is kept for looking at. */
export class TestLog implements Logger {
  readonly lines: Line[] = [];
  debug = this.#method("debug");
  info = this.#method("info");
  warn = this.#method("warn");
  error = this.#method("error");

  child(): this {
    return this;
  }

  at(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message);
  }

  #method(level: string) {
    return (fields: Record<string, unknown>, message: string) => {
      this.lines.push({ level, message, fields });
    };
  }
}
