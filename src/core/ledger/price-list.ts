import { z } from "zod";
import type { TokenUsage } from "../model/usage.ts";
import { type PicoUsd, parseUsd } from "./money.ts";

const RATE = 'must be US dollars for a million tokens as text, such as "0.25"';
/** As decimal text: a number could not say 0.1. */
const rate = z.string(RATE).regex(/^\d{1,4}(\.\d{1,6})?$/, RATE);

const price = z.strictObject({
  provider: z.string().min(1),
  /** As the provider names it. It stands for the model's dated versions too, unless they are listed. */
  model: z.string().min(1),
  input: rate,
  /** Of input tokens that the provider has cached; the same as others when absent. */
  cachedInput: rate.optional(),
  output: rate,
  /** Of output tokens that are reasoning; the same as others when absent. */
  reasoning: rate.optional(),
  /** A day on which this was the price. */
  date: z.iso.date(),
  /** Where it is published. */
  source: z.string().min(1),
});

export type Price = Readonly<z.output<typeof price>>;

export const priceListSchema = z
  .array(price)
  .refine((prices) => new Set(prices.map(keyOf)).size === prices.length, "has a model of one provider twice");

interface Rates extends Readonly<Record<"input" | "cachedInput" | "output" | "reasoning", PicoUsd>> {
  readonly isFree: boolean;
}

const TOKENS = 1_000_000n;

/** What calls cost. */
export class PriceList {
  readonly #rates: ReadonlyMap<string, Rates>;
  /** The models that have a price, whoever provides them. */
  readonly models: readonly string[];

  /** @param prices of which the later of two for one model counts. */
  constructor(prices: readonly Price[]) {
    this.#rates = new Map(prices.map((price) => [keyOf(price), toRates(price)]));
    this.models = [...new Set(prices.map(({ model }) => model))];
  }

  /**
   * What a call costs, exactly. Tokens that the provider did not call cached count as not cached.
   *
   * @returns undefined when the price is not known, or when the tokens are not and the model is not free.
   */
  cost(provider: string, model: string, usage: TokenUsage | undefined): PicoUsd | undefined {
    const rates = this.#find(provider, model);
    if (!rates) return undefined;
    const { input, cachedInput, output, reasoning } = rates;
    if (rates.isFree) return 0n;
    if (!usage) return undefined;
    const { inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 } = usage;
    return (
      priced(inputTokens, cachedInputTokens, input, cachedInput) +
      priced(outputTokens, reasoningTokens, output, reasoning)
    );
  }

  #find(provider: string, model: string): Rates | undefined {
    const known = this.#rates.get(keyOf({ provider, model }));
    if (known) return known;
    const undated = model.replace(/-\d{4}-\d{2}-\d{2}$/, "");
    return undated === model ? undefined : this.#rates.get(keyOf({ provider, model: undated }));
  }
}

/** `part` of the tokens at a rate of its own. */
function priced(tokens: number, part: number, rate: PicoUsd, partRate: PicoUsd): PicoUsd {
  const special = Math.min(part, tokens);
  return BigInt(tokens - special) * rate + BigInt(special) * partRate;
}

function keyOf({ provider, model }: Pick<Price, "provider" | "model">): string {
  return `${provider}\n${model}`;
}

function toRates({ input, cachedInput = input, output, reasoning = output }: Price): Rates {
  const perToken = (perMillion: string) => parseUsd(perMillion) / TOKENS;
  const rates = {
    input: perToken(input),
    cachedInput: perToken(cachedInput),
    output: perToken(output),
    reasoning: perToken(reasoning),
  };
  return { ...rates, isFree: Object.values(rates).every((rate) => rate === 0n) };
}
