import { describe, expect, test } from "@jest/globals";
import { formatUsd, parseUsd } from "../../../../src/core/ledger/money.ts";
import { PriceList, priceListSchema } from "../../../../src/core/ledger/price-list.ts";
import { PRICES } from "../../../../src/core/ledger/prices.ts";

const BASE = { date: "2026-11-05", source: "https://example.org/prices" };

describe("money", () => {
  test.each(["0", "1", "0.25", "12345678901234567890.000000000001", "-0.5"])("%s is exact", (text) => {
    expect(formatUsd(parseUsd(text))).toBe(text);
  });

  test("trailing zeros are not written", () => {
    expect(formatUsd(parseUsd("10.2500"))).toBe("10.25");
  });

  test.each(["", "1,5", "1e3", ".5", "0.0000000000001", "$1"])("%p is no amount", (text) => {
    expect(() => parseUsd(text)).toThrow("must be a decimal number");
  });
});

describe("a price list", () => {
  const list = new PriceList([
    { provider: "p", model: "m", input: "0.25", cachedInput: "0.025", output: "2", reasoning: "3", ...BASE },
    { provider: "p", model: "plain", input: "1.10", output: "4.40", ...BASE },
    { provider: "p", model: "m-2026-01-02", input: "9", output: "9", ...BASE },
    { provider: "p", model: "free", input: "0", output: "0", ...BASE },
  ]);
  const usd = (model: string, usage?: Parameters<PriceList["cost"]>[2]) => {
    const cost = list.cost("p", model, usage);
    return cost === undefined ? undefined : formatUsd(cost);
  };

  test("counts cached and reasoning tokens at their own rates", () => {
    // 700 × 0.25 + 300 × 0.025 + 40 × 2 + 60 × 3, of a millionth
    expect(
      usd("m", { inputTokens: 1_000, cachedInputTokens: 300, outputTokens: 100, reasoningTokens: 60 }),
    ).toBe("0.0004425");
  });

  test("counts them as others where no rate of their own is known", () => {
    // 3 × 1.1 + 7 × 4.4, of a millionth
    expect(usd("plain", { inputTokens: 3, cachedInputTokens: 2, outputTokens: 7, reasoningTokens: 7 })).toBe(
      "0.0000341",
    );
  });

  test("never counts more of a part than there is of the whole", () => {
    expect(usd("m", { inputTokens: 10, cachedInputTokens: 99, outputTokens: 0 })).toBe("0.00000025");
  });

  test("stands for dated versions, unless they have a price of their own", () => {
    const usage = { inputTokens: 1_000_000, outputTokens: 0 };
    expect(usd("m-2025-08-07", usage)).toBe("0.25");
    expect(usd("m-2026-01-02", usage)).toBe("9");
    expect(usd("m-large", usage)).toBeUndefined();
  });

  test("does not know what it can't", () => {
    expect(usd("m")).toBeUndefined();
    expect(usd("unknown", { inputTokens: 1, outputTokens: 1 })).toBeUndefined();
    expect(list.cost("other", "m", { inputTokens: 1, outputTokens: 1 })).toBeUndefined();
  });

  test("knows that what is free costs nothing, whatever the tokens", () => {
    expect(usd("free")).toBe("0");
  });

  test("takes the later of two prices", () => {
    const [price] = PRICES.filter(({ model }) => model === "gpt-5-mini");
    if (!price) throw new Error("gpt-5-mini has no price");
    const overridden = new PriceList([...PRICES, { ...price, input: "1" }]);
    expect(overridden.cost("openai", "gpt-5-mini", { inputTokens: 1, outputTokens: 0 })).toBe(1_000_000n);
  });

  test("the built-in one is a valid one, with every price dated", () => {
    expect(priceListSchema.parse(PRICES)).toEqual(PRICES);
  });

  test.each([
    [{ input: 0.25 }, "as text"],
    [{ input: "-1" }, "US dollars"],
    [{ date: "soon" }, "date"],
    [{ colour: "red" }, "colour"],
  ])("refuses %p", (change, problem) => {
    const price = { provider: "p", model: "m", input: "1", output: "1", ...BASE, ...change };
    expect(JSON.stringify(priceListSchema.safeParse([price]).error?.issues)).toContain(problem);
  });

  test("refuses a model twice", () => {
    const price = { provider: "p", model: "m", input: "1", output: "1", ...BASE };
    expect(priceListSchema.safeParse([price, price]).success).toBe(false);
  });
});
