import { describe, expect, test } from "@jest/globals";
import { findApiKey, parseApiKeys } from "../../../src/core/api-key.ts";

const ANN = "ann-secret-0123456789";
const BOT = "bot-secret-0123456789";

function parse(text: string) {
  const problems: string[] = [];
  const keys = parseApiKeys(text, (problem) => problems.push(problem));
  return { keys, problems };
}

describe("parseApiKeys", () => {
  test("reads keys with a name and without, spaces around them or not", () => {
    const { keys, problems } = parse(`ann:${ANN}, ${BOT}`);
    expect(problems).toEqual([]);
    expect(keys.map(({ name }) => name)).toEqual(["ann", expect.stringMatching(/^key-[0-9a-f]{12}$/)]);
  });

  test("the name of a key without one is the same after each start, and another for another key", () => {
    const nameOf = (text: string) => parse(text).keys[0]?.name;
    expect(nameOf(BOT)).toBe(nameOf(BOT));
    expect(nameOf(BOT)).not.toBe(nameOf(ANN));
  });

  test("keeps no key's text", () => {
    expect(JSON.stringify(parse(`ann:${ANN},${BOT}`).keys)).not.toMatch(/secret/);
  });

  test.each([
    ["a:b:0123456789abcdef", "entry 1: must be key or name:key"],
    ["ann:", "entry 1: must be key or name:key"],
    ["", "entry 1: must be key or name:key"],
    [`${ANN},`, "entry 2: must be key or name:key"],
    ["ann:with space 0123456789", "entry 1: must be key or name:key"],
    ["ann:short", "entry 1: the key must have at least 16 characters"],
    [`:${ANN}`, "entry 1: the name must"],
    [`a/b:${ANN}`, "entry 1: the name must"],
    [`ann:${ANN},ann:${BOT}`, "entry 2: the name is that of entry 1"],
    [`ann:${ANN},bot:${ANN}`, "entry 2: the key is that of entry 1"],
  ])("%p is a mistake", (text, problem) => {
    expect(parse(text).problems).toEqual([expect.stringContaining(problem)]);
  });

  test("tells all mistakes at once, and none of the keys", () => {
    const { problems } = parse(`ann:hush,ann:${ANN},hush hush,x:${ANN}`);
    expect(problems).toHaveLength(4);
    expect(problems.join()).not.toMatch(/hush|secret/);
  });
});

describe("findApiKey", () => {
  const { keys } = parse(`ann:${ANN},bot:${BOT}`);

  test("finds the key that was shown", () => {
    expect(findApiKey(keys, ANN)?.name).toBe("ann");
    expect(findApiKey(keys, BOT)?.name).toBe("bot");
  });

  test.each(["", "x", ANN.slice(0, -1), `${ANN}x`, ANN.toUpperCase(), "ann", `ann:${ANN}`])(
    "finds none for %p",
    (shown) => {
      expect(findApiKey(keys, shown)).toBeUndefined();
    },
  );
});
