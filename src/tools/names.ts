/** Comparing the names that models and users write with the names that data has. */

/** "São Tomé & Príncipe" and "sao tome principe" give the same text; so do "U.S." and "us". */
export function fold(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/[\p{M}.'’]/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

/** Names in use that CLDR's English data does not have, folded. */
const OTHER_COUNTRY_NAMES: Readonly<Record<string, string>> = {
  america: "US",
  "united states of america": "US",
  usa: "US",
  "great britain": "GB",
  britain: "GB",
  uae: "AE",
  holland: "NL",
  "the netherlands": "NL",
  "czech republic": "CZ",
  turkey: "TR",
  korea: "KR",
  "ivory coast": "CI",
  burma: "MM",
  swaziland: "SZ",
  "cabo verde": "CV",
  macedonia: "MK",
  vatican: "VA",
  "east timor": "TL",
};

/**
 * The ISO 3166-1 alpha-2 code of a country given by code or by English name, or undefined.
 * CLDR's aliases are followed, so "UK" gives "GB".
 */
export function countryCode(nameOrCode: string): string | undefined {
  const text = fold(nameOrCode);
  countryNames ??= readCountryNames();
  return countryNames.get(text) ?? OTHER_COUNTRY_NAMES[text];
}

let countryNames: ReadonlyMap<string, string> | undefined;

function readCountryNames(): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  for (const style of ["long", "short"] as const) {
    const display = new Intl.DisplayNames("en", { type: "region", style, fallback: "none" });
    for (const code of letters.flatMap((first) => letters.map((second) => first + second))) {
      const name = display.of(code);
      const canonical = new Intl.Locale(`und-${code}`).region;
      if (name === undefined || canonical === undefined) continue;
      names.set(fold(code), canonical);
      names.set(fold(name), canonical);
    }
  }
  return names;
}

/** Up to `count` of `options` that `text` may be a misspelling of, the closest first. */
export function closest(text: string, options: Iterable<string>, count = 3): string[] {
  const wanted = fold(text);
  const tolerance = Math.max(1, Math.floor(wanted.length / 3));
  return [...options]
    .map((option) => ({ option, distance: editDistance(wanted, fold(option)) }))
    .filter(({ distance }) => distance <= tolerance)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ option }) => option);
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
