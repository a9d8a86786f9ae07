import { type DateMention, type DateReading, findDates, mask } from "./dates.ts";
import { findPlaces, type PlaceMention } from "./find-places.ts";
import { isBeyond, kindsOf, type TaskKind } from "./task-kinds.ts";

/** A part of a message that asks one thing. */
export interface Segment {
  readonly text: string;
  /** What its own words may ask for, the likeliest first. */
  readonly kinds: readonly TaskKind[];
  readonly dates: readonly DateMention[];
  readonly places: readonly PlaceMention[];
  /** Its text with dates and places masked. */
  readonly rest: string;
  /** It points to a place named before: "there", "the same place". */
  readonly there: boolean;
}

/** A question stands at the beginning or the end of a message; what a long one has between is not read. */
const MAX_READ = 2_000;

const SENTENCE_END = /[?!;\n]+|(?<=[\p{L}\p{N}]{3})\.(?=\s|$)/u;
const CONNECTOR = /,?\s+(?:and also|and|also|plus|then|but|or|&)\s+|,\s*/gi;
const JOINT = /^,?\s*(?:and also|and|also|plus|then|but|or|&)?\s+/i;
const GREETING =
  /^(?:(?:hi|hello|hey|good (?:morning|afternoon|evening)|hola|greetings|please|ok|okay|so|well|thanks|thank you)(?: there| parley)?[,.!]*\s+)+/i;
/** "is there a holiday" points nowhere, "what time is there" does. */
const THERE =
  /(?<!\b(?:is|are|was|were|be) )\bthere\b|\bthere(?: (?:now|today|tomorrow))?$|\b(?:that|the same) (?:place|city|country)\b/i;
const THERE_AT_ALL = /\bthere\b/i;
/** It carries on: "and tomorrow?", "what about Granollers?" */
const FOLLOWS = /^(?:and|also|plus|then|or|but|what about|what's about|how about|how is it|same)\b/i;

function excerpt(text: string): string {
  return text.length <= MAX_READ ? text : `${text.slice(0, MAX_READ / 2)}\n${text.slice(-MAX_READ / 2)}`;
}

function readSegment(text: string, reading: DateReading): Segment {
  const kinds = kindsOf(text);
  const dates = findDates(text, reading);
  const withoutDates = dates.reduce((rest, { start, end }) => mask(rest, start, end), text);
  const anyLead = FOLLOWS.test(text) && kinds.length === 0 && text.length < 60;
  const places = findPlaces(withoutDates, { unknown: kinds.length > 0 || anyLead, anyLead });
  return {
    text,
    kinds,
    dates,
    places,
    rest: places.reduce((rest, { start, end }) => mask(rest, start, end), withoutDates),
    there: (kinds.includes("now") ? THERE_AT_ALL : THERE).test(text),
  };
}

type Asked = TaskKind | "beyond";

/** Pieces without a question of their own belong to the piece before them, the first ones to the next. */
function splitSentence(sentence: string): readonly string[] {
  const cuts = Array.from(sentence.matchAll(CONNECTOR), (match) => match.index);
  const starts = [0];
  let kind: Asked | undefined;
  for (const [index, cut] of [0, ...cuts].entries()) {
    const piece = sentence.slice(cut, cuts[index]);
    const asks = isBeyond(piece.replace(JOINT, "")) ? "beyond" : kindsOf(piece)[0];
    if (asks === undefined || isOneQuestion(kind, sentence.slice(starts.at(-1), cut), piece, asks)) continue;
    if (kind !== undefined && cut > 0) starts.push(cut);
    kind = asks;
  }
  return starts
    .map((start, index) => clean(sentence.slice(start, starts[index + 1])))
    .filter((text) => text !== "");
}

/**
 * "how many days between today | and the next holiday", "when it is 15:00 in Madrid, | what time is
 * it in Rome", "write a poem about the rain | and the wind" are one each.
 */
function isOneQuestion(kind: Asked | undefined, before: string, piece: string, asks: Asked): boolean {
  if (kind === "days_between") return /\bbetween [^,]*$/i.test(before);
  if (kind === "beyond") return !/\b(?:what|which|how|when|will|is|are|tell|show|give)\b/i.test(piece);
  return kind === "convert" && (asks === "now" || asks === "convert");
}

function clean(text: string): string {
  const trimmed = text.replace(/^[\s,.]+|[\s,.]+$/g, "");
  const question = trimmed.replace(GREETING, "");
  return kindsOf(question).length > 0 || FOLLOWS.test(question) ? question : trimmed;
}

/** Cuts a message into the things it asks, in their order. */
export function segmentsOf(message: string, reading: DateReading): readonly Segment[] {
  return excerpt(message)
    .replace(/[‘’`´]/g, "'")
    .replace(/[^\S\n]+/g, " ")
    .split(SENTENCE_END)
    .flatMap((sentence) => splitSentence(clean(sentence)))
    .map((text) => readSegment(text, reading));
}
