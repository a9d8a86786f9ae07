import type { WriteStream } from "node:tty";

/** How often a bar is drawn, and a line written where there is no terminal; in milliseconds. */
const BAR_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5_000;
const BAR_WIDTH = 30;

export type Output = Pick<WriteStream, "write"> & Partial<Pick<WriteStream, "isTTY">>;

/** Shows how far a long work is: a bar on a terminal, elsewhere a line every few seconds. */
export class Progress {
  readonly #output: Output;
  readonly #label: string;
  readonly #now: () => number;
  #shownAt: number;
  #isDrawn = false;

  /** @param now milliseconds on any clock. */
  constructor(output: Output, label: string, now: () => number) {
    this.#output = output;
    this.#label = label;
    this.#now = now;
    this.#shownAt = now();
  }

  /** `total` may be a guess: what is done can be more. */
  update(done: number, total: number): void {
    const interval = this.#output.isTTY ? BAR_INTERVAL_MS : LINE_INTERVAL_MS;
    if (this.#now() - this.#shownAt < interval) return;
    this.#shownAt = this.#now();
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const percent = `${Math.floor(share * 100)} %`;
    if (!this.#output.isTTY) {
      this.#output.write(`${this.#label}: ${percent}\n`);
      return;
    }
    const bar = "#".repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, ".");
    this.#output.write(`\r${this.#label} [${bar}] ${percent.padStart(5)}`);
    this.#isDrawn = true;
  }

  /** Takes the bar away, so that something else can be said in its line. */
  end(): void {
    // ECMA-48: erase in line, from the cursor to the end.
    if (this.#isDrawn) this.#output.write("\r\u001b[K");
    this.#isDrawn = false;
  }
}
