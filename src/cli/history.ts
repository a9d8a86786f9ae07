import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { devNull, homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

const MAX_LINES = 1000;

/** Where lines are kept between sessions: the XDG base directories' place for state. */
export function historyPath({ XDG_STATE_HOME }: NodeJS.ProcessEnv, home = homedir): string {
  const state =
    XDG_STATE_HOME && isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(orNowhere(home), ".local", "state");
  return join(state, "parley", "history");
}

/** A user that the system does not know, as in many containers, has no home: what is below this can't be written. */
function orNowhere(home: () => string): string {
  try {
    return home();
  } catch {
    return devNull;
  }
}

/**
 * The lines typed at the prompt, in a file that only its user can read. A file that can't be read
 * or written is no reason not to talk: then lines last as long as the session.
 */
export class History {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns the newest line first, as readline wants it. */
  load(): string[] {
    try {
      const lines = readFileSync(this.#path, "utf8").split("\n").filter(Boolean);
      const kept = lines.slice(-MAX_LINES);
      if (lines.length > 2 * MAX_LINES) writeFileSync(this.#path, `${kept.join("\n")}\n`);
      return kept.reverse();
    } catch {
      return [];
    }
  }

  add(message: string): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, `${message}\n`, { mode: 0o600 });
    } catch {}
  }
}
