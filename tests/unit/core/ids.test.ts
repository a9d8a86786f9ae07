import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { derivedId, digest, isId, randomIds } from "../../../src/core/ids.ts";

test.each([
  ["65a1b2c3d4e5f60718293a4b", true],
  ["65A1B2C3D4E5F60718293A4B", false],
  ["65a1b2c3d4e5f60718293a4", false],
  ["65a1b2c3d4e5f60718293a4bb", false],
  ["65a1b2c3d4e5f60718293a4g", false],
  ["65a1b2c3d4e5f60718293a4b\n", false],
  ["", false],
])("isId(%j) is %p", (text, expected) => {
  expect(isId(text)).toBe(expected);
});

describe("randomIds", () => {
  test("begin with the seconds, and never repeat", () => {
    const ids = randomIds(() => Date.parse("2026-11-21T09:00:00.999Z"));
    const made = Array.from({ length: 1_000 }, () => ids.next());
    expect(new Set(made).size).toBe(1_000);
    expect(made.every(isId)).toBe(true);
    expect(new Set(made.map((id) => Number.parseInt(id.slice(0, 8), 16)))).toEqual(
      new Set([Date.parse("2026-11-21T09:00:00Z") / 1000]),
    );
  });

  test("have their shape at any time", () => {
    for (const now of [0, 1_000, 2 ** 32 * 1_000, 2 ** 36 * 1_000]) {
      expect(isId(randomIds(() => now).next())).toBe(true);
    }
  });
});

describe("derivedId", () => {
  test("is an id, and the same for the same parts", () => {
    expect(isId(derivedId("start", "ann", "k"))).toBe(true);
    expect(derivedId("start", "ann", "k")).toBe(derivedId("start", "ann", "k"));
  });

  test("the parts can't run into one another", () => {
    const unit = fc.constantFrom("a", '"', ",", "\\", "[", "\0", "\ud800", "\udfff");
    const part = fc.string({ unit, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(part), part, part, part, (before, one, separator, other) => {
        expect(digest(...before, one, other)).not.toBe(digest(...before, one + separator + other));
        expect(derivedId(...before, one, other)).not.toBe(derivedId(...before, one + separator + other));
      }),
    );
    expect(derivedId("ab", "c")).not.toBe(derivedId("a", "bc"));
    expect(derivedId("a", "")).not.toBe(derivedId("a"));
    expect(derivedId("a", "b")).not.toBe(derivedId("a,b"));
  });
});
