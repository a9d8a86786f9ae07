import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { stripVTControlCharacters } from "node:util";
import { built, NODE } from "./server.ts";
import type { SystemProgram } from "./system-program.ts";

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** The server. */
  readonly url: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the built client (dist/cli.js) to its end, away from any terminal, with `input` piped to it. */
export async function runCli(
  args: readonly string[],
  { input = "", ...options }: CliOptions & { readonly input?: string },
): Promise<CliResult> {
  const child = spawn(NODE, [built("cli.js"), ...args], { env: environment(options) });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
    // A client that does not read its input closes it.
    child.stdin.on("error", () => undefined).end(input),
  ]);
  return { code, stdout, stderr };
}

/** Runs the built client with nobody to read its standard output, as behind a pipe that is closed. */
export async function runCliUnread(
  args: readonly string[],
  options: CliOptions,
): Promise<Omit<CliResult, "stdout">> {
  const child = spawn(NODE, [built("cli.js"), ...args], { env: environment(options) });
  child.stdout.destroy();
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
  return { code, stderr };
}

/** Of util-linux, which gives a command a pseudo terminal. */
export const SCRIPT: SystemProgram = { program: "script", debianPackage: "bsdutils" };

/** The built client on a pseudo terminal of 80 columns. */
export class TerminalCli {
  readonly #child;
  readonly #ended: Promise<number | null>;
  #output = "";
  #seen = 0;
  #onOutput: () => void = () => undefined;

  constructor(args: readonly string[], options: CliOptions) {
    const command = [NODE, built("cli.js"), ...args].map((word) => `'${word}'`).join(" ");
    this.#child = spawn(SCRIPT.program, ["-qefc", `stty cols 80 rows 24; exec ${command}`, "/dev/null"], {
      env: { TERM: "xterm-256color", SHELL: "/bin/sh", ...environment(options) },
    });
    this.#child.stdout.setEncoding("utf8").on("data", (data: string) => {
      this.#output += data;
      this.#onOutput();
    });
    this.#ended = once(this.#child, "close").then(([code]) => code);
  }

  /** All that the terminal was sent, escape sequences too. */
  get raw(): string {
    return this.#output;
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits for output that matches, behind what was waited for before, and returns it as plain text. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const fresh = stripVTControlCharacters(this.#output.slice(this.#seen));
      if (pattern.test(fresh)) {
        this.#seen = this.#output.length;
        return fresh;
      }
      const more = new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
      const ended = await Promise.race([more, this.#ended]);
      if (ended !== undefined) throw new Error(`${pattern} did not come before the end, but: ${fresh}`);
    }
  }

  /** The exit code, once the client has left. */
  async end(): Promise<number | null> {
    return await this.#ended;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Nothing of this process's environment but PATH: no key, no locale, no colours. */
function environment({ url, env }: CliOptions): Record<string, string | undefined> {
  return { PATH: process.env.PATH, TZ: "UTC", API_URL: url, XDG_STATE_HOME: "/nonexistent", ...env };
}
