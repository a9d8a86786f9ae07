const LINE_EVERY_MS = 5_000;

/** One line that tells what is being measured: rewritten on a terminal, a new one now and then elsewhere. */
export class Progress {
  readonly #begun = performance.now();
  readonly #stream: NodeJS.WriteStream;
  #section = "";
  #lastLine = Number.NEGATIVE_INFINITY;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  section(title: string, number: number, of: number): void {
    this.#section = `${number}/${of} ${title}`;
    this.#lastLine = Number.NEGATIVE_INFINITY;
    this.tell("starting");
  }

  tell(what: string): void {
    const line = `${clock(performance.now() - this.#begun)}  ${this.#section} · ${what}`;
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\x1b[2K${line.slice(0, this.#stream.columns - 1)}`);
    } else if (performance.now() - this.#lastLine > LINE_EVERY_MS) {
      this.#lastLine = performance.now();
      this.#stream.write(`${line}\n`);
    }
  }

  /** A line that stays. */
  note(text: string): void {
    this.clear();
    this.#stream.write(`${text}\n`);
  }

  clear(): void {
    if (this.#stream.isTTY) this.#stream.write("\r\x1b[2K");
  }
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
