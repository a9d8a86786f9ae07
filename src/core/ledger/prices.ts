import type { Price } from "./price-list.ts";

const SOURCE = "https://developers.openai.com/api/docs/pricing";

/** Model, rates of input, cached input and output for standard processing, and a day they were these. */
const OPENAI = [
  ["gpt-5.4-mini", "0.75", "0.075", "4.50", "2026-11-05"],
  ["gpt-5.4-nano", "0.20", "0.02", "1.25", "2026-11-05"],
  ["gpt-5.2", "1.75", "0.175", "14.00", "2025-12-11"],
  ["gpt-5.1", "1.25", "0.125", "10.00", "2025-11-13"],
  ["gpt-5", "1.25", "0.125", "10.00", "2025-08-07"],
  ["gpt-5-mini", "0.25", "0.025", "2.00", "2026-11-05"],
  ["gpt-5-nano", "0.05", "0.005", "0.40", "2026-11-05"],
  ["gpt-4.1", "2.00", "0.50", "8.00", "2025-04-14"],
  ["gpt-4.1-mini", "0.40", "0.10", "1.60", "2025-04-14"],
  ["gpt-4.1-nano", "0.10", "0.025", "0.40", "2025-04-14"],
  ["gpt-4o", "2.50", "1.25", "10.00", "2025-08-07"],
  ["gpt-4o-2024-05-13", "5.00", "5.00", "15.00", "2025-08-07"],
  ["gpt-4o-mini", "0.15", "0.075", "0.60", "2025-08-07"],
  ["o3", "2.00", "0.50", "8.00", "2025-08-07"],
  ["o4-mini", "1.10", "0.275", "4.40", "2025-08-07"],
] as const;

/**
 * What is known of prices. A model that is missing here, because it is new, on offer for a time, or
 * charged for more than these rates say, has no known price. PRICES_FILE adds to the list and overrides it.
 */
export const PRICES: readonly Price[] = [
  { provider: "demo", model: "demo", input: "0", output: "0", date: "2026-11-21", source: "built in" },
  ...OPENAI.map(([model, input, cachedInput, output, date]) => {
    return { provider: "openai", model, input, cachedInput, output, date, source: SOURCE };
  }),
];
