import type Holidays from "date-holidays";
import { ToolError } from "../../core/assistant/tool.ts";
import { closest, countryCode, fold } from "../names.ts";
import type { HolidayPlace } from "./holiday-source.ts";

/** A place by the codes of date-holidays: it calls ISO 3166-2 subdivisions states, and their parts regions. */
export interface KnownPlace {
  readonly country: string;
  readonly country_name: string;
  readonly region?: Region;
}

interface Region {
  /** As one asks for it: `CT`, or `CT-B` for a part of it. */
  readonly code: string;
  readonly state: string;
  readonly part?: string;
  /** The one to show, then what else it is called. */
  readonly names: readonly [string, ...string[]];
}

/** Throws a ToolError that names what is near, or what there is. */
export function resolvePlace(data: Holidays, { country = "", region }: HolidayPlace): KnownPlace {
  const code = findCountry(data, country);
  const known = { country: code, country_name: data.getCountries("en")[code] ?? code };
  return region === undefined ? known : { ...known, region: findRegion(data, known, region) };
}

function findCountry(data: Holidays, wanted: string): string {
  const countries = data.getCountries("en");
  const code =
    countryCode(wanted) ??
    Object.keys(countries).find((code) => fold(countries[code] ?? "") === fold(wanted));
  if (code !== undefined && code in countries) return code;
  throw new ToolError(`No holidays are known for a country '${wanted}'. ${hint(data, countries, wanted)}`);
}

function hint(data: Holidays, countries: Record<string, string>, wanted: string): string {
  for (const country of Object.keys(countries)) {
    const region = regionsOf(data, country, ["en"]).find(({ names }) => fold(names[0]) === fold(wanted));
    if (region) return `It is a region: give country '${country}' and region '${region.code}'.`;
  }
  const near = closest(wanted, Object.values(countries));
  if (near.length > 0) return `Did you mean ${near.join(" or ")}?`;
  return "Give an ISO 3166-1 code such as 'ES' or an English name such as 'Spain'.";
}

function findRegion(data: Holidays, { country, country_name }: KnownPlace, wanted: string): Region {
  data.init(country);
  const regions = regionsOf(data, country, ["en", ...data.getLanguages()]);
  if (regions.length === 0) throw new ToolError(`No regions of ${country_name} are known: leave region out.`);

  const text = fold(wanted);
  const same = regions.find(
    ({ code, names }) =>
      fold(code) === text || fold(`${country}-${code}`) === text || names.some((name) => fold(name) === text),
  );
  if (same !== undefined) return same;
  // "Madrid" for "Comunidad de Madrid", as long as no other has it in its name.
  const similar = regions.filter(({ names }) =>
    names.some((name) => ` ${fold(name)} `.includes(` ${text} `)),
  );
  const [only, ...others] = similar;
  if (only !== undefined && others.length === 0) return only;

  const choices = (similar.length > 0 ? similar : regions.filter(({ part }) => part === undefined))
    .map(({ code, names }) => `${code} (${names[0]})`)
    .join(", ");
  throw new ToolError(`No region '${wanted}' of ${country_name} is known. There is: ${choices}.`);
}

function regionsOf(data: Holidays, country: string, languages: readonly string[]): Region[] {
  const names = (
    read: (language: string) => Record<string, string> | undefined,
    code: string,
  ): Region["names"] => {
    const [first = code, ...others] = languages.flatMap((language) => read(language)?.[code] ?? []);
    return [first, ...others];
  };
  // Typed as always there, they are undefined for a country without any.
  const states: Record<string, string> | undefined = data.getStates(country);
  return Object.keys(states ?? {}).flatMap((state) => {
    const parts: Record<string, string> | undefined = data.getRegions(country, state);
    return [
      { code: state, state, names: names((language) => data.getStates(country, language), state) },
      ...Object.keys(parts ?? {}).map((part) => ({
        code: `${state}-${part}`,
        state,
        part,
        names: names((language) => data.getRegions(country, state, language), part),
      })),
    ];
  });
}
