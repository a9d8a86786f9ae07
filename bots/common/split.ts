/** A stretch of a text, in UTF-16 units. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

export interface Piece<S extends Span> {
  readonly text: string;
  /** Those of the whole text, cut to this piece and counted from its start. */
  readonly spans: readonly S[];
}

export interface SplitOptions<S extends Span> {
  /** Of a piece, in UTF-16 units. */
  readonly max: number;
  /** Whether white space at a cut inside the span means something, as in code. */
  readonly isCode: (span: S) => boolean;
}

/** A piece is cut at the best border in its last three quarters, rather than at a better one before. */
const SHORTEST = 0.25;

/** Units behind a cut that tell whether a character goes on there. */
const LOOK_AHEAD = 64;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * Cuts a text into pieces, each as long as it may be up to a paragraph's end or the border of a code
 * block; failing that to a line's end, a word's end, a character's end. White space at a cut is
 * dropped, as are pieces of nothing visible.
 */
export function split<S extends Span>(
  text: string,
  spans: readonly S[],
  { max, isCode }: SplitOptions<S>,
): Piece<S>[] {
  const code = spans.filter(isCode);
  const pieces: Piece<S>[] = [];
  for (let from = 0; from < text.length; ) {
    from = skipBlanks(text, from, code);
    const to = text.length - from <= max ? text.length : cut(text, from, max, code);
    const piece = text.slice(from, to).trimEnd();
    if (isVisible(piece)) pieces.push({ text: piece, spans: clip(spans, from, from + piece.length) });
    from = to;
  }
  return pieces;
}

/** Whether there is anything to see: blanks and invisible characters alone make no message. */
function isVisible(text: string): boolean {
  return /[^\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u.test(text);
}

/** What to leave out before a piece: blanks, but of code only the line's end that it was cut at. */
function skipBlanks(text: string, from: number, code: readonly Span[]): number {
  if (isInside(code, from)) return text[from] === "\n" ? from + 1 : from;
  const nextCode = code.reduce(
    (next, { offset }) => (offset >= from ? Math.min(next, offset) : next),
    text.length,
  );
  return Math.min(from + text.slice(from).search(/\S|$/), nextCode);
}

/** Where to cut the text after `from`: at most `max` units on, and at least one. */
function cut(text: string, from: number, max: number, code: readonly Span[]): number {
  const earliest = from + Math.floor(max * SHORTEST);
  const latest = from + max;
  const lastBorder = (border: string, fits: (at: number) => boolean = () => true) => {
    for (let at = text.lastIndexOf(border, latest); at > earliest; at = text.lastIndexOf(border, at - 1)) {
      // A line's break goes before the cut, so that an indented line of code keeps its indent.
      const to = Math.min(at + border.length, latest);
      if (fits(to)) return to;
    }
    return undefined;
  };
  return (
    lastBorder("\n\n", (at) => !isInside(code, at)) ??
    lastBorder("\n") ??
    lastBorder(" ") ??
    wholeCharacter(text, from, latest)
  );
}

function isInside(spans: readonly Span[], at: number): boolean {
  return spans.some(({ offset, length }) => offset < at && at < offset + length);
}

/** Where the character at `latest` begins; of one that is longer than a piece, what fits. */
function wholeCharacter(text: string, from: number, latest: number): number {
  const character = graphemes.segment(text.slice(from, latest + LOOK_AHEAD)).containing(latest - from);
  if (character && character.index > 0) return from + character.index;
  const splitsPair = /[\uD800-\uDBFF]/.test(text.charAt(latest - 1)) && latest - 1 > from;
  return splitsPair ? latest - 1 : latest;
}

function clip<S extends Span>(spans: readonly S[], from: number, to: number): S[] {
  return spans.flatMap((span) => {
    const start = Math.max(span.offset, from);
    const end = Math.min(span.offset + span.length, to);
    return start < end ? [{ ...span, offset: start - from, length: end - start }] : [];
  });
}
