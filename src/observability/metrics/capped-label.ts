/** What stands for all values of a label that are not told apart. */
export const OTHER = "other";

/** Keeps the values of a label few: the first that come are told apart. */
export class CappedLabel {
  readonly #max: number;
  readonly #seen = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  of(value: string): string {
    if (value === "" || this.#seen.has(value)) return value;
    if (this.#seen.size >= this.#max) return OTHER;
    this.#seen.add(value);
    return value;
  }
}
