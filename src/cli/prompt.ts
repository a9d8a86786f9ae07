import { createInterface, type Interface, type Key } from "node:readline";
import { Writable } from "node:stream";
import type { Input, Output } from "./terminal.ts";

export interface PromptOptions {
  readonly input: Input;
  /** Where the prompt and what is typed appear. */
  readonly output: Output;
  readonly sign: string;
  /** The newest line first. */
  readonly history: string[];
  /** Printed when Ctrl-C is pressed at an empty prompt; pressed again, it leaves. */
  readonly leaveHint: string;
}

/** Bracketed paste; nothing for a terminal that knows no control sequences, and gets none of readline either. */
const PASTE_MODE =
  process.env.TERM === "dumb" ? { on: "", off: "" } : { on: "\x1b[?2004h", off: "\x1b[?2004l" };

/**
 * Reads messages from a terminal, with line editing and history. A paste of several lines is one
 * message. What is typed ahead, while an answer is awaited, is kept for the next prompt.
 */
export class Prompt {
  readonly #options: PromptOptions;
  readonly #screen: Screen;
  readonly #readline: Interface;
  /** Messages typed ahead. */
  readonly #entered: string[] = [];
  #onEntered: (() => void) | undefined;
  /** The lines of a paste, before the one that the user still edits. */
  #pasted: string[] = [];
  #pasting = false;
  #leaving = false;
  #closed = false;
  #work: AbortController | undefined;

  constructor(options: PromptOptions) {
    this.#options = options;
    const { input, output, history, sign } = options;
    this.#screen = new Screen(output);
    this.#readline = createInterface({
      input,
      output: this.#screen,
      terminal: output.isTTY,
      prompt: sign,
      history,
      historySize: 1000,
      removeHistoryDuplicates: true,
    });
    this.#readline.on("line", (line) => this.#line(line));
    this.#readline.on("SIGINT", () => this.#interrupt());
    this.#readline.on("close", () => {
      this.#closed = true;
      this.#onEntered?.();
    });
    input.on("keypress", (_text, key: Key) => this.#key(key));
    this.#screen.write(PASTE_MODE.on);
  }

  /** @returns the next message; undefined when the user leaves (Ctrl-D, or Ctrl-C twice). */
  async read(): Promise<string | undefined> {
    const early = this.#entered.shift();
    if (early !== undefined) {
      this.#screen.write(`${this.#options.sign}${early}\n`);
      return early;
    }
    if (this.#closed) return undefined;
    this.#readline.prompt(true);
    await new Promise<void>((resolve) => {
      this.#onEntered = resolve;
    });
    this.#onEntered = undefined;
    return this.#entered.shift();
  }

  /** Waits for work that Ctrl-C aborts; keys don't show meanwhile. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#work = new AbortController();
    this.#screen.muted = true;
    try {
      return await work(this.#work.signal);
    } finally {
      this.#screen.muted = false;
      this.#work = undefined;
    }
  }

  /** Gives the terminal back as it was. */
  close(): void {
    this.#readline.close();
    this.#screen.write(PASTE_MODE.off);
  }

  #line(line: string): void {
    if (this.#pasting) {
      this.#pasted.push(line);
      return;
    }
    this.#entered.push([...this.#pasted, line].join("\n"));
    this.#pasted = [];
    this.#onEntered?.();
  }

  #interrupt(): void {
    if (this.#work) {
      this.#work.abort();
    } else if (this.#readline.line !== "" || this.#pasted.length > 0) {
      this.#pasted = [];
      this.#readline.write(null, { ctrl: true, name: "e" });
      this.#readline.write(null, { ctrl: true, name: "u" });
    } else if (this.#leaving) {
      this.#readline.close();
    } else {
      this.#leaving = true;
      this.#screen.write(`\n${this.#options.leaveHint}\n`);
      this.#readline.prompt();
    }
  }

  #key({ name, ctrl }: Key): void {
    if (name === "paste-start") this.#pasting = true;
    if (name === "paste-end") this.#pasting = false;
    if (!(ctrl && name === "c")) this.#leaving = false;
  }
}

/** The terminal as readline writes to it, which can be muted. */
class Screen extends Writable {
  muted = false;
  readonly #terminal: Output;

  constructor(terminal: Output) {
    super({ decodeStrings: false });
    this.#terminal = terminal;
    terminal.on("resize", () => this.emit("resize"));
  }

  get columns(): number | undefined {
    return this.#terminal.columns;
  }

  override _write(text: string, _encoding: BufferEncoding, done: () => void): void {
    if (!this.muted) this.#terminal.write(text);
    done();
  }
}
