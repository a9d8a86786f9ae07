import Table, { type HorizontalAlignment } from "cli-table3";

/** Columns between two cells. */
export const GAP = 2;

/** Rows of cells as lines in columns, without borders. */
export function plainTable(
  rows: readonly (readonly string[])[],
  alignments: readonly HorizontalAlignment[],
): string[] {
  const table = new Table({
    chars: { ...NO_BORDERS, middle: " ".repeat(GAP) },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    colAligns: [...alignments],
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
}

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
};
