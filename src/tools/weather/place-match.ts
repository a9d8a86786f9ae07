import { ToolError } from "../../core/assistant/tool.ts";
import { countryCode, fold } from "../names.ts";

/** What a geocoder knows of a place; names in English. */
export interface Place {
  readonly name: string;
  readonly country?: string | undefined;
  readonly country_code?: string | undefined;
  readonly admin1?: string | undefined;
  readonly admin2?: string | undefined;
}

/** "Paris, Texas, USA" is the place "Paris" that lies in "Texas" and in "USA". */
export function splitLocation(location: string): { name: string; within: string[] } {
  const [name = "", ...within] = location
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return { name, within };
}

/**
 * The first of `candidates` (the most relevant first) that lies in all of `within`; one of exactly
 * that name goes before one of a similar name. Throws a ToolError that names the candidates.
 */
export function choosePlace<P extends Place>(name: string, within: readonly string[], candidates: P[]): P {
  const matching = candidates.filter((place) => within.every((area) => liesIn(place, area)));
  const exact = matching.find((place) => fold(place.name) === fold(name));
  // Without a qualifier the geocoder's own order is better: "New York City" is called "New York".
  const chosen = within.length > 0 ? (exact ?? matching[0]) : matching[0];
  if (chosen !== undefined) return chosen;
  const found = candidates.slice(0, 5).map(describe).join("; ");
  throw new ToolError(`No '${name}' was found in '${within.join(", ")}'. Places of that name: ${found}.`);
}

function liesIn(place: Place, area: string): boolean {
  const wanted = fold(area);
  const areas = [place.country, place.country_code, place.admin1, place.admin2];
  if (areas.some((known) => known !== undefined && fold(known) === wanted)) return true;
  if (place.country_code === undefined) return false;
  if (place.country_code.toUpperCase() === countryCode(area)) return true;
  return place.country_code === "US" && US_STATES.get(wanted.toUpperCase()) === place.admin1;
}

function describe({ name, admin1, country }: Place): string {
  const areas = [admin1, country].filter((area) => area !== undefined && area !== name);
  return areas.length === 0 ? name : `${name}, ${areas.join(", ")}`;
}

/** USPS codes, as in "Portland, OR"; geocoders know the names alone. */
const US_STATES: ReadonlyMap<string, string> = new Map(
  (
    "AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware|" +
    "DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|" +
    "KS Kansas|KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|" +
    "MS Mississippi|MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|" +
    "NM New Mexico|NY New York|NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|" +
    "PA Pennsylvania|RI Rhode Island|SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|" +
    "VT Vermont|VA Virginia|WA Washington|WV West Virginia|WI Wisconsin|WY Wyoming"
  )
    .split("|")
    .map((entry) => [entry.slice(0, 2), entry.slice(3)]),
);
