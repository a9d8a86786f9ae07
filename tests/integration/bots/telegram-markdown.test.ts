import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { toMessages } from "../../../bots/telegram/messages.ts";
import { brokenRule } from "../../support/bot-api-rules.ts";

const RUNS = 10_000;
const SEED = Number(process.env.SEED ?? 1);

/** What a word ends with: scripts from right to left, marks that combine, characters of several units. */
const TAILS = [
  "",
  "é",
  "🙂",
  "👩‍👩‍👧‍👦",
  "🇪🇸",
  "שלום",
  "مرحبا",
  "e\u0301\u0323",
  "漢字",
  "\u202Eabc\u202C",
  "👍🏽",
];

/** A word that is like no other: the leaves of an answer, by which its order is known. */
const word = fc.tuple(fc.nat(1e9), fc.constantFrom(...TAILS)).map(([id, tail]) => `w${id}x${tail}`);
const words = fc.array(word, { minLength: 1, maxLength: 30 }).map((list) => list.join(" "));
const longWord = fc
  .tuple(word, fc.constantFrom("a", "🙂", "漢", "e\u0301"), fc.nat(6_000))
  .map(([start, unit, times]) => start + unit.repeat(times));

const inline = fc.letrec<{ inline: string; styled: string }>((tie) => ({
  styled: fc
    .tuple(fc.constantFrom("**", "*", "_", "__", "~~", "`", "``", "***", "||"), tie("inline"))
    .map(([mark, inside]) => `${mark}${inside}${mark}`),
  inline: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    words,
    tie("styled"),
    fc.tuple(tie("inline"), tie("inline")).map(([a, b]) => `${a} ${b}`),
    tie("inline").map((text) => `[${text}](https://example.org/a?b=(c))`),
    tie("inline").map((text) => `[${text}](javascript:alert(1))`),
    tie("inline").map((text) => `![${text}](https://example.org/p.png)`),
    // What is opened and never closed, or closed and never opened.
    fc
      .tuple(
        fc.constantFrom("**", "`", "[", "](", "~~", "<b>", "&amp;", "\\*", "_", "![", "<"),
        tie("inline"),
      )
      .map((t) => t.join("")),
    fc
      .tuple(tie("inline"), fc.constantFrom("**", "`", "](", ")", "</b>", "~~~", "\\", "<br>"))
      .map((t) => t.join("")),
  ),
})).inline;

const prefixLines = (prefix: string) => (text: string) =>
  text
    .split("\n")
    .map((line) => prefix + line)
    .join("\n");

const block = fc.letrec<{ block: string; blocks: string }>((tie) => ({
  blocks: fc.array(tie("block"), { minLength: 1, maxLength: 4 }).map((list) => list.join("\n\n")),
  block: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    inline,
    fc.array(word, { minLength: 100, maxLength: 900 }).map((list) => list.join(" ")),
    fc
      .array(words, { minLength: 20, maxLength: 150 })
      .map((lines) => `\`\`\`py\n${lines.join("\n")}\n\`\`\``),
    longWord,
    fc
      .tuple(fc.constantFrom("# ", "### ", "> ", "- ", "1. ", "- [x] ", "    ", "\t", "10) "), inline)
      .map((t) => t.join("")),
    tie("blocks").map(prefixLines("> ")),
    tie("blocks").map(prefixLines("  ")),
    tie("blocks").map((text) => `- ${prefixLines("  ")(text).trimStart()}`),
    // Fences: right, left open, closed by another kind, nested, with words where a language would be.
    fc
      .tuple(
        fc.constantFrom("```", "~~~", "````", "```ts", "``` ", "```a b"),
        tie("blocks"),
        fc.constantFrom("```", "~~~", "````", "", "``"),
      )
      .map((t) => t.join("\n")),
    fc.tuple(words, inline).map(([a, b]) => `| ${a} | ${b} |\n|---|:-:|\n| ${b} | ${a} |`),
    fc.constantFrom(
      "---",
      "***",
      "<div>",
      "</div>",
      "[x]: https://example.org",
      "|",
      "```",
      "===",
      "\u200b",
      "\0",
    ),
  ),
})).blocks;

/** All words in their order, then how often characters come that are easily cut or lost. */
function essence(text: string): string {
  const dense = text.replace(/[\s\u200b]+/g, "");
  const counts = ["🙂", "漢", "ש", "\u0301", "👍🏽", "🇪🇸"].map(
    (character) => dense.split(character).length - 1,
  );
  return [...(dense.match(/w\d+x/g) ?? []), ...counts].join(" ");
}

test(`${RUNS} random Markdown answers: all parts are accepted, all words are there in order`, () => {
  let parts = 0;
  let formatted = 0;
  fc.assert(
    fc.property(block, (markdown) => {
      const messages = toMessages(markdown);
      for (const message of messages) {
        const problem = brokenRule(message);
        if (problem) throw new Error(`${problem}: ${JSON.stringify(message)}`);
        parts++;
        formatted += message.entities.length;
      }
      return essence(messages.map(({ text }) => text).join("\n")) === essence(markdown);
    }),
    { numRuns: RUNS, seed: SEED },
  );
  // The answers were worth it: many parts, many formats.
  expect(parts).toBeGreaterThan(RUNS);
  expect(formatted).toBeGreaterThan(RUNS);
  console.info(`${RUNS} answers in ${parts} parts with ${formatted} entities`);
}, 300_000);
