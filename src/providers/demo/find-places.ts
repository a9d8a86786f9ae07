import { MASK } from "./dates.ts";
import { findPlace, findQualified, isQualifier, type Place, unknownPlace } from "./places.ts";

/** A place named in a text; `start` inclusive, `end` exclusive. */
export interface PlaceMention {
  readonly place: Place;
  readonly start: number;
  readonly end: number;
}

interface Token {
  readonly text: string;
  readonly lower: string;
  readonly start: number;
  readonly end: number;
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.trim().split(/\s+/));
}

const LEADS = words("in at for near around to from of about across over and or versus vs");

/** Names of cities that are words first: read as places only behind "in", "at", "for" or with a qualifier. */
const WORDS_FIRST = words(`
  reading bath mobile split buy male gay bend tours orange sale independence enterprise nice van man mary gary
  lead young gore angers progress alert resolute elk perm hail hit wick victoria many come bar march may august`);

/** Never a place on their own, whatever a gazetteer says. */
const NEVER = words(`
  same of are is it its do he she we you i me my us as be by so no go an ok hi hey hello thanks the a this that
  to in at on or and most date time day week month year what when will can how weather holiday holidays rain
  snow today here there cold hot warm sun sunny pole general total central all any both ye wa ho bo ica san la
  el los las le santa saint st`);

/** What ends an unknown name. */
const ENDS = words(`
  today tomorrow tonight now and or but is are was will be please right on this next over during with for in at
  like looking going then there here what which how when to from the weather forecast holiday holidays time
  right again instead too also as if do does can could should if i we it that than versus vs ok thanks today's`);

/** What no unknown name begins with. */
const NO_NAME = new Set([
  ...NEVER,
  ...words(`
  particular advance case general my your our his her their celsius fahrenheit degrees english spanish detail
  short home work school each some any one hours minutes days weeks months years morning afternoon evening
  night future city town country moment world area mountains sea past meantime end start middle not now then
  lunch dinner breakfast please report app update updates outside conditions info is are everything anything nothing something help tonight today tomorrow town winter summer
  spring autumn fall between least first last once fact order general public bank school`),
]);

const MAX_WORDS = 5;

function tokenize(text: string): readonly Token[] {
  return Array.from(text.matchAll(/[\p{L}\p{N}\p{M}][\p{L}\p{N}\p{M}'’.-]*|[^\s]/gu), (match) => {
    // A dot belongs to "St." and "D.C.", not to the end of a sentence.
    const word = /^(?:st|\p{L}(?:\.\p{L})+)\.$/iu.test(match[0])
      ? match[0]
      : match[0].replace(/[.'’-]+$/u, "");
    return { text: word, lower: word.toLowerCase(), start: match.index, end: match.index + word.length };
  });
}

function isName(token: Token | undefined): token is Token {
  return token !== undefined && /^[\p{L}\p{N}]/u.test(token.text);
}

function isCapitalised(token: Token): boolean {
  return /^\p{Lu}/u.test(token.text);
}

/** Words of a text that name a place, which the gazetteer may have. */
interface Name {
  readonly name: string;
  readonly count: number;
  readonly place?: Place;
}

/** The word in front of a name: "in", also in "in the Alps". */
function leadOf(tokens: readonly Token[], index: number): string {
  const before = tokens[index - 1]?.lower ?? "";
  return before === "the" ? (tokens[index - 2]?.lower ?? "") : before;
}

function known(tokens: readonly Token[], index: number, text: string, afterPlace: boolean): Name | undefined {
  const first = tokens[index];
  if (!isName(first)) return undefined;
  const lead = leadOf(tokens, index);
  for (let count = Math.min(MAX_WORDS, tokens.length - index); count > 0; count--) {
    const last = tokens[index + count - 1];
    if (last === undefined || !isName(last)) continue;
    const name = text.slice(first.start, last.end);
    if (name.includes(MASK) || (count > 1 && NEVER.has(last.lower))) continue;
    if (count === 1 && NEVER.has(first.lower) && !/^[A-Z]{2}$/.test(first.text)) continue;
    // Two letters are "us" and "it" unless they are "US" and "UK".
    if (count === 1 && first.text.length < 3 && !/^(?:US|UK|uk)$/.test(first.text)) continue;
    const place = findPlace(name);
    if (place === undefined) continue;
    const led = LEADS.has(lead) || (afterPlace && lead === ",");
    if (!led && count === 1 && WORDS_FIRST.has(first.lower)) continue;
    return { place, count, name };
  }
  return undefined;
}

/** The qualifier that stands at `index`, behind a name: `, Texas`, ` Texas`, `, Vilafranca` not. */
function qualifierAt(
  tokens: readonly Token[],
  index: number,
  text: string,
): { text: string; next: number } | undefined {
  const from = tokens[index]?.text === "," ? index + 1 : index;
  for (const count of [3, 2, 1]) {
    const first = tokens[from];
    const last = tokens[from + count - 1];
    if (!isName(first) || !isName(last)) continue;
    const qualifier = text.slice(first.start, last.end);
    if (isQualifier(qualifier)) return { text: qualifier, next: from + count };
  }
  return undefined;
}

/** Words that a place may follow whatever its case: "in granollers", "weather granollers". */
const SURE_LEADS = words("in near around weather forecast");

function unknown(tokens: readonly Token[], index: number, text: string, anyLead: boolean): Name | undefined {
  const first = tokens[index];
  if (
    !isName(first) ||
    !/^(?:\D|\d{4,6}$)/.test(first.text) ||
    NO_NAME.has(first.lower) ||
    ENDS.has(first.lower)
  )
    return undefined;
  const lead = leadOf(tokens, index);
  const afterThe = tokens[index - 1]?.lower === "the";
  const sure = SURE_LEADS.has(lead) && !afterThe;
  const likely = SURE_LEADS.has(lead) || lead === "for" || lead === "at" || anyLead;
  if (!sure && !(likely && isCapitalised(first))) return undefined;
  let count = 1;
  for (let next = tokens[index + 1]; isName(next) && !ENDS.has(next.lower) && !/^\d/.test(next.text); ) {
    count += 1;
    next = tokens[index + count];
  }
  return count > MAX_WORDS
    ? undefined
    : { name: text.slice(first.start, tokens[index + count - 1]?.end), count };
}

export interface PlaceReading {
  /** Read words that the gazetteer lacks as places, behind "in", "near" or "around" or with a capital. */
  readonly unknown: boolean;
  /** Also those that stand behind any word: `and Granollers?` */
  readonly anyLead?: boolean;
}

/** With the qualifier behind it: a known city needs a comma to become one that only the weather service knows. */
function qualified(
  { name, place, count }: Name,
  tokens: readonly Token[],
  index: number,
  text: string,
): { place: Place; next: number } {
  const behind = index + count;
  const plain = { place: place ?? unknownPlace(name), next: behind };
  if (place !== undefined && place.kind !== "city") return plain;
  const qualifier = qualifierAt(tokens, behind, text);
  if (qualifier === undefined) return plain;
  const city = findQualified(name, qualifier.text);
  if (city !== undefined) return { place: city, next: qualifier.next };
  if (place !== undefined && tokens[behind]?.text !== ",") return plain;
  return { place: unknownPlace(name, qualifier.text), next: qualifier.next };
}

/** The places that a text names, in its order; dates in it are masked. */
export function findPlaces(text: string, reading: PlaceReading): readonly PlaceMention[] {
  const tokens = tokenize(text);
  const mentions: PlaceMention[] = [];
  let previousEnd = -1;
  for (let index = 0; index < tokens.length; ) {
    const found =
      known(tokens, index, text, previousEnd === index - 1) ??
      (reading.unknown ? unknown(tokens, index, text, reading.anyLead === true) : undefined);
    if (found === undefined) {
      index += 1;
      continue;
    }
    const { place, next } = qualified(found, tokens, index, text);
    mentions.push({ place, start: tokens[index]?.start ?? 0, end: tokens[next - 1]?.end ?? text.length });
    previousEnd = next;
    index = next;
  }
  return mentions;
}
