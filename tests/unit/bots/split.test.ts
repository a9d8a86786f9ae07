import { describe, expect, test } from "@jest/globals";
import { type Span, split } from "../../../bots/common/split.ts";

interface Marked extends Span {
  readonly code?: boolean;
}

const pieces = (text: string, max: number, spans: Marked[] = []) =>
  split(text, spans, { max, isCode: ({ code = false }) => code });
const texts = (...args: Parameters<typeof pieces>) => pieces(...args).map(({ text }) => text);

describe("a text is cut", () => {
  test.each([
    ["not at all when it fits", "one two", 7, ["one two"]],
    ["at a paragraph's end, rather than at a later line", "a b\n\nc\nd", 7, ["a b", "c\nd"]],
    ["at a line's end, rather than at a later word", "aaa\nb c d", 8, ["aaa", "b c d"]],
    ["at a word's end", "aaa bbb ccc", 8, ["aaa bbb", "ccc"]],
    ["between characters", "abcdefghij", 4, ["abcd", "efgh", "ij"]],
    ["not into short pieces for a good border", "a\n\nbbbbbbbbb ccc", 12, ["a\n\nbbbbbbbbb", "ccc"]],
    ["beside surrogate pairs", "🙂🙂🙂", 3, ["🙂", "🙂", "🙂"]],
    ["beside characters of several parts", "ab👩‍👩‍👧cd", 9, ["ab", "👩‍👩‍👧c", "d"]],
    [
      "through a character that is longer than a piece",
      `e${"\u0301".repeat(9)}`,
      4,
      [`e${"\u0301".repeat(3)}`],
    ],
    ["without pieces of nothing", "a\n\n\u200b \n\nb", 4, ["a", "b"]],
  ])("%s", (_name, text, max, expected) => {
    expect(texts(text, max).slice(0, expected.length)).toEqual(expected);
    for (const piece of texts(text, max)) expect(piece.length).toBeLessThanOrEqual(max);
  });

  test("not inside code when a paragraph ends before it", () => {
    const text = "before\n\n  x\n\n  y\n\nafter";
    expect(texts(text, 18, [{ offset: 8, length: 8, code: true }])).toEqual([
      "before\n\n  x\n\n  y",
      "after",
    ]);
    expect(texts(text, 12, [{ offset: 8, length: 8, code: true }])).toEqual([
      "before",
      "  x\n\n  y",
      "after",
    ]);
  });

  test("at a line of code that is too long, which keeps its indent", () => {
    const text = "if x:\n  do y\n  do z";
    expect(texts(text, 13, [{ offset: 0, length: text.length, code: true }])).toEqual([
      "if x:\n  do y",
      "  do z",
    ]);
  });
});

test("spans go on in the next piece", () => {
  const cut = pieces("aaa bbb ccc", 8, [{ offset: 1, length: 9 }]);
  expect(cut).toEqual([
    { text: "aaa bbb", spans: [{ offset: 1, length: 6 }] },
    { text: "ccc", spans: [{ offset: 0, length: 2 }] },
  ]);
});
