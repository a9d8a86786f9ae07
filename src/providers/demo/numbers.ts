const WORDS = [
  "zero",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
  "eleven",
  "twelve",
];

/** The source of a pattern for a count: digits (four at most) or an English word up to twelve. */
export const COUNT = `(?:\\d{1,4}|an?|${WORDS.join("|")})`;

/** What {@link COUNT} matched, as a number. */
export function countOf(text: string): number {
  const word = text.toLowerCase();
  if (word === "a" || word === "an") return 1;
  const index = WORDS.indexOf(word);
  return index >= 0 ? index : Number(word);
}
