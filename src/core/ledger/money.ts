/** US dollars in millionths of a millionth, so that every price of a token is a whole number. */
export type PicoUsd = bigint;

const DIGITS = 12;

/** As a decimal number of dollars, exactly and without trailing zeros: `0.00025`. */
export function formatUsd(amount: PicoUsd): string {
  const digits = String(amount < 0n ? -amount : amount).padStart(DIGITS + 1, "0");
  const fraction = digits.slice(-DIGITS).replace(/0+$/, "");
  const sign = amount < 0n ? "-" : "";
  return `${sign}${digits.slice(0, -DIGITS)}${fraction && `.${fraction}`}`;
}

/** As a number, which is about right: for meters, not for sums. */
export function approximateUsd(amount: PicoUsd): number {
  return Number(amount) / 10 ** DIGITS;
}

/**
 * Reads a decimal number of dollars, as {@link formatUsd} writes it.
 *
 * @throws RangeError for anything else, and for more than 12 decimals.
 */
export function parseUsd(text: string): PicoUsd {
  const [, sign = "", whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(text) ?? [];
  if (whole === "") throw new RangeError("It must be a decimal number such as 0.25");
  return BigInt(sign + whole + fraction.padEnd(DIGITS, "0"));
}
