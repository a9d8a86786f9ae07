import type { DateReading } from "./dates.ts";
import { type Intent, NO_TOPIC, type Remark, type Task, type Topic } from "./intent.ts";
import type { Place } from "./places.ts";
import { refine } from "./refine.ts";
import { type Segment, segmentsOf } from "./segments.ts";
import { isBeyond } from "./task-kinds.ts";
import { BUILDERS, type When } from "./tasks.ts";

export interface Understanding {
  /** Never empty. */
  readonly intents: readonly Intent[];
  /** What the conversation is about after this message. */
  readonly topic: Topic;
}

/** What the segments of a message have told so far. */
interface Reading {
  readonly dates: DateReading;
  readonly topic: Topic;
  readonly segments: readonly Segment[];
  readonly tasks: Task[];
  readonly remarks: Remark[];
  places: readonly Place[];
  /** Told by a sentence that asks nothing ("I'm going to Rome tomorrow."), or a day already asked about. */
  spokenOf: When;
  /** Something was asked for that no tool can do. */
  beyond: boolean;
}

const SMALL_TALK: readonly (readonly [Remark["kind"] & ("about" | "greeting" | "thanks" | "bye"), RegExp])[] =
  [
    [
      "about",
      /\b(?:who|what) (?:are|r) (?:you|u)\b|\bwhat (?:can|do) (?:you|u) (?:do|know)\b|\bwhat can i (?:ask|do)\b|^help\b|\bhelp me$|\bhow do (?:you|i use (?:you|this)|this) ?(?:work)?$|\bare you (?:an? )?(?:real|ai|human|person|bot|robot|chatgpt|gpt|llm|claude|language|openai|model)\b|\b(?:which|what) (?:ai |language )?model\b|\byour name\b|\bintroduce yourself\b|\bwhat is (?:this|parley)\b/i,
    ],
    [
      "thanks",
      /^(?:(?:many|ok|okay|great|perfect|cool|alright),? )*(?:thanks|thank you|thx|ty|cheers|gracias|great|perfect|cool|nice|awesome|ok|okay|got it)(?:,? (?:a lot|so much|very much|again|parley|for .{1,30}|thanks|thank you|that helps|one|work|job|then|bye))*$/i,
    ],
    [
      "bye",
      /^(?:bye|goodbye|good night|see you|ciao|farewell)(?: (?:bye|then|later|soon|tomorrow|parley))*$/i,
    ],
    [
      "greeting",
      /^(?:hi|hello|hey|hiya|howdy|hola|yo|greetings|good (?:morning|afternoon|evening|day)|how are you|how's it going|what's up|sup)(?:,? (?:there|parley|again|all|everyone|mate|friend|bot|today|doing|how are you|hi|hello))*$/i,
    ],
  ];

const FILLER = new Set(
  `hi hello hey thanks thank yes no and also plus then or but what whats what's about how is it its it's will be the a in at for on of to there here
  me please tell show give us now right ok okay so instead again too same place city do does i you like over
  until till by around near thing from between during within versus vs if same are was this that s well thanks
  let's say try with check`.split(/\s+/),
);

/** A segment of nothing but places, dates and small words: a follow-up, or the answer to "which place?". */
function isBare({ rest }: Segment): boolean {
  const words = rest.toLowerCase().match(/[\p{L}\p{N}'+*/=<>{}-]+/gu) ?? [];
  return words.every((word) => FILLER.has(word));
}

function placesFor(segment: Segment, index: number, reading: Reading): readonly Place[] {
  const own = segment.places.map(({ place }) => place);
  if (own.length > 0) return own;
  const before = reading.places.length > 0 ? reading.places : reading.topic.places;
  if (segment.there) return before;
  if (/\bhere\b/i.test(segment.text)) return [];
  const [kind] = segment.kinds;
  const later = reading.segments.slice(index + 1).find(({ places }) => places.length > 0)?.places ?? [];
  // "the time and the weather in Tokyo" shares its place, "what time is it" means the user's own.
  const fragment = /\b(?:time|date)$/i.test(segment.text);
  if (kind !== "weather" && kind !== "holidays" && !fragment) return [];
  if (reading.places.length > 0) return reading.places;
  return later.length > 0 ? later.map(({ place }) => place) : fragment ? [] : reading.topic.places;
}

/** "Will it rain in Rome tomorrow, and is it a holiday there?" is about tomorrow twice. */
function isSpokenOf({ kinds: [kind], dates }: Segment): boolean {
  if (dates.length === 0 || kind === undefined) return dates.length > 0;
  return (kind === "weather" || kind === "holidays") && dates.every(({ from, to }) => from === to);
}

function build(segment: Segment, index: number, reading: Reading): readonly Task[] | undefined {
  const around = {
    today: reading.dates.today,
    places: placesFor(segment, index, reading),
    when: segment.dates.length > 0 ? segment : reading.spokenOf,
  };
  for (const kind of segment.kinds) {
    const tasks = BUILDERS[kind](segment, around);
    if (tasks === undefined) continue;
    const last = reading.tasks.findLast((task) => task.kind === "weather");
    return around.when.dates.length > 0 || last === undefined
      ? tasks
      : tasks.map((task) => (task.kind === "weather" ? { ...task, days: last.days } : task));
  }
  return undefined;
}

function read(segment: Segment, index: number, reading: Reading): void {
  const impossible = segment.dates.find((date) => date.impossible === true);
  if (impossible !== undefined) {
    reading.remarks.push({ kind: "no_such_date", words: impossible.words });
    return;
  }
  const own = segment.places.map(({ place }) => place);
  const told = own.length + segment.dates.length > 0;
  const beyond = isBeyond(segment.text);
  reading.beyond ||= beyond;
  const tasks = beyond ? undefined : build(segment, index, reading);
  const base = reading.tasks.length > 0 ? reading.tasks : reading.topic.tasks;
  const refined = isBare(segment) && told ? refine(base, own, segment, reading.dates.today) : [];
  if (tasks !== undefined) {
    reading.tasks.push(...tasks);
  } else if (refined.length > 0) {
    reading.tasks.push(...refined);
  } else if (isBare(segment) && own.length > 0) {
    reading.remarks.push({ kind: "which_topic", places: own });
  } else {
    const talk = SMALL_TALK.find(([, pattern]) => pattern.test(segment.text))?.[0];
    reading.remarks.push({ kind: talk ?? "out_of_reach" });
  }
  if (own.length > 0) reading.places = own;
  if (isSpokenOf(segment)) reading.spokenOf = segment;
}

function unique<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

/** More questions than a person asks at once; each may cost a call. */
const MAX_TASKS = 8;

/** Reads a message in the light of what the conversation was about. */
export function understand(message: string, dates: DateReading, topic: Topic = NO_TOPIC): Understanding {
  const segments = segmentsOf(message, dates);
  const reading: Reading = {
    dates,
    topic,
    segments,
    tasks: [],
    remarks: [],
    places: [],
    spokenOf: { text: "", dates: [] },
    beyond: false,
  };
  for (const [index, segment] of segments.entries()) read(segment, index, reading);
  const tasks = unique(reading.tasks).slice(0, MAX_TASKS);
  const remarks = unique(reading.remarks).filter(
    // Beside tasks, only what the user would miss an answer to.
    ({ kind }) =>
      tasks.length === 0 || kind === "no_such_date" || (kind === "out_of_reach" && reading.beyond),
  );
  const places = reading.places.length > 0 ? reading.places : topic.places;
  const intents: readonly Intent[] = tasks.length > 0 ? [...tasks, ...remarks] : mostTelling(remarks);
  return { intents, topic: { tasks: tasks.length > 0 ? tasks : topic.tasks, places } };
}

/** Of several remarks the one to answer: "Hello! Who are you?" is a question, not a greeting. */
function mostTelling(remarks: readonly Remark[]): readonly Remark[] {
  const order: readonly Remark["kind"][] = [
    "no_such_date",
    "about",
    "which_topic",
    "out_of_reach",
    "greeting",
    "thanks",
    "bye",
  ];
  const kind = order.find((candidate) => remarks.some((remark) => remark.kind === candidate));
  return [remarks.find((remark) => remark.kind === kind) ?? { kind: "out_of_reach" }];
}
