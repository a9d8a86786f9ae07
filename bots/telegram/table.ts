/** Columns of longer cells are not filled up to their width: one long cell must not blow up all rows. */
const WIDEST = 30;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Rows of cells as lines of text; the first row is the head. */
export function drawTable(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.min(WIDEST, Math.max(1, ...rows.map((row) => width(row[column] ?? "")))),
  );
  const line = (row: readonly string[]) =>
    widths
      .map((wanted, column) => {
        const cell = row[column] ?? "";
        return cell + " ".repeat(Math.max(0, wanted - width(cell)));
      })
      .join(" | ")
      .trimEnd();
  const rule = widths.map((wanted) => "-".repeat(wanted)).join("-+-");
  const [head = [], ...body] = rows;
  return [line(head), rule, ...body.map(line)].join("\n");
}

function width(cell: string): number {
  return [...graphemes.segment(cell)].length;
}
