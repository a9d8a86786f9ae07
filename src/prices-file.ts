import { readFileSync } from "node:fs";
import { ConfigError } from "./config.ts";
import { PriceList, priceListSchema } from "./core/ledger/price-list.ts";
import { PRICES } from "./core/ledger/prices.ts";

/**
 * The built-in price list, with the prices of a file before it where there is one.
 *
 * @throws ConfigError that lists every problem of the file.
 */
export function loadPrices(path: string | undefined): PriceList {
  return new PriceList(path === undefined ? PRICES : [...PRICES, ...readPrices(path)]);
}

function readPrices(path: string) {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`PRICES_FILE: ${path} can't be read as JSON (${reason}). See .env.example.`);
  }
  const parsed = priceListSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path: place, message }) => `  ${place.join(".")}: ${message}`);
  throw new ConfigError(`The prices in ${path} (PRICES_FILE) have problems:\n${problems.join("\n")}`);
}
