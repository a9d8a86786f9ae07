const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The scripts and blocks that Unicode's "East Asian Width" has as wide, and what is shown as emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u;
const INVISIBLE = /^[\p{Mark}\p{Format}]+$/u;

/** The columns that a text without control characters takes up on a terminal. */
export function textWidth(text: string): number {
  return Array.from(graphemes.segment(text), ({ segment }) => graphemeWidth(segment)).reduce(
    (sum, width) => sum + width,
    0,
  );
}

/** The text, cut to so many columns between two characters as people see them, with an ellipsis. */
export function cutToWidth(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let cut = "";
  let left = columns - 1;
  for (const { segment } of graphemes.segment(text)) {
    left -= graphemeWidth(segment);
    if (left < 0) break;
    cut += segment;
  }
  return `${cut.trimEnd()}…`;
}

function graphemeWidth(grapheme: string): number {
  if (INVISIBLE.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/**
 * Breaks long lines between words, where a terminal would break them anywhere. Indented lines, which
 * may be code, are left to the terminal.
 */
export function wrapWords(text: string, columns = Number.POSITIVE_INFINITY): string {
  return text
    .split("\n")
    .map((line) => (/^\s/.test(line) || textWidth(line) <= columns ? line : wrapLine(line, columns)))
    .join("\n");
}

function wrapLine(line: string, columns: number): string {
  let wrapped = "";
  let column = 0;
  for (const [, word = "", spaces = ""] of line.matchAll(/(\S+)(\s*)/g)) {
    const width = textWidth(word);
    if (column > 0 && column + width > columns) {
      wrapped = `${wrapped.trimEnd()}\n`;
      column = 0;
    }
    wrapped += word + spaces;
    column += width + textWidth(spaces);
  }
  return wrapped;
}
