/** Text on its way from who writes it, in parts, to who reads it: what was not read yet is read in one. */
export class TextRelay {
  readonly #maxLength: number;
  readonly #tooLong: () => Error;
  #length = 0;
  #unread = "";
  #hasEnded = false;
  /** Of a reader that waits. */
  #wake?: () => void;

  /**
   * @param maxLength of all parts together, in UTF-16 code units.
   * @param tooLong what {@link write} throws beyond that.
   */
  constructor(maxLength: number, tooLong: () => Error) {
    this.#maxLength = maxLength;
    this.#tooLong = tooLong;
  }

  write(part: string): void {
    this.#length += part.length;
    if (this.#length > this.#maxLength) throw this.#tooLong();
    this.#unread += part;
    this.#wake?.();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** What there is, as soon as there is something; undefined at the end. For one reader. */
  async read(): Promise<string | undefined> {
    while (this.#unread === "" && !this.#hasEnded) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    const text = this.#unread;
    this.#unread = "";
    return text === "" ? undefined : text;
  }
}
