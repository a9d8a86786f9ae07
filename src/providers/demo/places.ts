import { type CityData, cityMapping } from "city-timezones";
import { BETTER_KNOWN, CITY_ALIASES, COUNTRY_ALIASES, REGION_OF_CITY, REGIONS } from "./regions.ts";

export interface Place {
  /** As get_weather takes it; for a place that the gazetteer lacks, the user's own words. */
  readonly name: string;
  readonly kind: "city" | "region" | "country" | "unknown";
  /** ISO 3166-1 alpha-2. */
  readonly country?: string;
  /** Subdivision as date-holidays has it; only when it is sure. */
  readonly region?: string;
  /** IANA name; of a country or region with several zones, that of its biggest city. */
  readonly timezone?: string;
}

/** Names that differ in case, accents, dots and apostrophes only have one key. */
export function placeKey(name: string): string {
  return name
    .normalize("NFD")
    .replace(/[\p{M}'’.]/gu, "")
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim()
    .toLowerCase();
}

interface Gazetteer {
  /** Cities of one name, the one that is meant without further words first. */
  readonly cities: ReadonlyMap<string, readonly CityData[]>;
  readonly regions: ReadonlyMap<string, Place>;
  readonly countries: ReadonlyMap<string, Place>;
}

function add<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else if (!list.includes(item)) list.push(item);
}

function buildCities(biggestFirst: readonly CityData[]): ReadonlyMap<string, readonly CityData[]> {
  const cities = new Map<string, CityData[]>();
  for (const city of biggestFirst) {
    for (const name of [city.city, city.city_ascii]) add(cities, placeKey(name), city);
  }
  for (const [name, aliases] of Object.entries(CITY_ALIASES)) {
    const [city] = cities.get(placeKey(name)) ?? [];
    // Not appended: "Washington" is the capital, not a small town of that name.
    if (city !== undefined) for (const alias of aliases) cities.set(placeKey(alias), [city]);
  }
  for (const [key, country] of Object.entries(BETTER_KNOWN)) {
    cities.get(key)?.sort((a, b) => Number(b.iso2 === country) - Number(a.iso2 === country));
  }
  return cities;
}

function buildRegions(biggestFirst: readonly CityData[]): ReadonlyMap<string, Place> {
  const regions = new Map<string, Place>();
  for (const [country, list] of Object.entries(REGIONS)) {
    for (const [code, ...names] of list) {
      const timezone = biggestFirst.find(
        (city) => city.iso2 === country && regionOf(city) === code,
      )?.timezone;
      for (const name of names) {
        regions.set(placeKey(name), { name, kind: "region", country, region: code, timezone });
      }
    }
  }
  for (const { iso2, state_ansi: region, province: name, timezone } of biggestFirst) {
    if (iso2 !== "US" || !region || regions.has(placeKey(name))) continue;
    regions.set(placeKey(name), { name, kind: "region", country: iso2, region, timezone });
  }
  return regions;
}

function buildCountries(biggestFirst: readonly CityData[]): ReadonlyMap<string, Place> {
  const countries = new Map<string, Place>();
  const names = new Intl.DisplayNames("en", { type: "region" });
  for (const { iso2, country, timezone } of biggestFirst) {
    if (!/^[A-Z]{2}$/.test(iso2)) continue;
    const name = names.of(iso2) ?? country;
    // "Hong Kong SAR China", "Myanmar (Burma)"
    const [short = name] = name.split(/ SAR | \(/);
    // The overseas departments of France have codes of their own, but its name in the city list.
    for (const alias of [name, short, country, ...(COUNTRY_ALIASES[iso2] ?? [])]) {
      const key = placeKey(alias);
      if (!countries.has(key)) countries.set(key, { name: short, kind: "country", country: iso2, timezone });
    }
  }
  return countries;
}

let gazetteer: Gazetteer | undefined;

/** Made at first use: some milliseconds and 10,000 entries that other providers have no need of. */
function load(): Gazetteer {
  if (gazetteer === undefined) {
    const biggestFirst = [...cityMapping].sort((a, b) => b.pop - a.pop);
    gazetteer = {
      cities: buildCities(biggestFirst),
      regions: buildRegions(biggestFirst),
      countries: buildCountries(biggestFirst),
    };
  }
  return gazetteer;
}

/** The code of the region that a name means in a country, when it is sure. */
export function regionCode(country: string, name: string): string | undefined {
  const key = placeKey(name);
  return REGIONS[country]?.find(([, ...names]) => names.some((known) => placeKey(known) === key))?.[0];
}

function regionOf(city: CityData): string | undefined {
  if (city.iso2 === "US") return city.state_ansi || undefined;
  return REGION_OF_CITY[city.iso2]?.[placeKey(city.city)] ?? regionCode(city.iso2, city.province);
}

function cityPlace(city: CityData, qualifier?: string): Place {
  return {
    name: qualifier === undefined ? city.city : `${city.city}, ${qualifier}`,
    kind: "city",
    country: city.iso2,
    region: regionOf(city),
    timezone: city.timezone,
  };
}

/** The place of that name: a country before a city before a region, as Georgia, New York and Québec show. */
export function findPlace(name: string): Place | undefined {
  const key = placeKey(name);
  const { cities, regions, countries } = load();
  const country = countries.get(key);
  const [city] = cities.get(key) ?? [];
  // Singapore is a country, but its weather and its time are a city's all the same.
  if (country !== undefined) return country;
  return city === undefined ? regions.get(key) : cityPlace(city);
}

/** What may stand behind a city's name: a country, a region, or the code of a state such as `TX`. */
function findQualifier(text: string): readonly Place[] {
  const { regions, countries } = load();
  const key = placeKey(text);
  const named = [countries.get(key), regions.get(key)].filter((place) => place !== undefined);
  if (named.length > 0 || !/^[A-Z]{2,3}$/.test(text)) return named;
  return [...regions.values()].filter(
    ({ country, region }) => region === text && (country === "US" || country === "CA" || country === "AU"),
  );
}

/** The city of a name in a country or region: `Paris` with `Texas`. */
export function findQualified(name: string, qualifier: string): Place | undefined {
  const cities = load().cities.get(placeKey(name)) ?? [];
  for (const { country, region, kind } of findQualifier(qualifier)) {
    const city = cities.find((c) => c.iso2 === country && (kind === "country" || regionOf(c) === region));
    if (city !== undefined) return cityPlace(city, qualifier);
  }
  return undefined;
}

/** A place that only the weather service may know, with what its qualifier tells of it. */
export function unknownPlace(name: string, qualifier?: string): Place {
  const [within] = qualifier === undefined ? [] : findQualifier(qualifier);
  return {
    name: qualifier === undefined ? name : `${name}, ${qualifier}`,
    kind: "unknown",
    country: within?.country,
    region: within?.region,
    timezone: within?.timezone,
  };
}

export function isQualifier(text: string): boolean {
  return findQualifier(text).length > 0;
}
