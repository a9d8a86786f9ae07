import type { ModelMessage, ModelRequest } from "../../core/model/language-model.ts";
import { type IsoDate, isIsoDate } from "./calendar.ts";
import { type Intent, NO_TOPIC, type Task, type Topic } from "./intent.ts";
import { findPlace, type Place, unknownPlace } from "./places.ts";
import { datetimeResult, parseResult } from "./results.ts";
import { understand } from "./understand.ts";

/** One tool call and what came of it. */
export interface DoneCall {
  readonly name: string;
  readonly arguments: string;
  readonly content: string;
  readonly isError: boolean;
}

/** A user's message and the tool calls made for it. */
interface Turn {
  readonly text: string;
  readonly calls: readonly DoneCall[];
}

export interface Conversation {
  /** Absent when neither the system prompt nor a tool has told it. */
  readonly today?: IsoDate;
  /** The user's, as an IANA name. */
  readonly timezone?: string;
  /** What the last message asks. */
  readonly intents: readonly Intent[];
  /** Calls made for the last message. */
  readonly calls: readonly DoneCall[];
  /** Calls of the whole conversation, for what they tell of places. */
  readonly allCalls: readonly DoneCall[];
  /** The model has said before what it is. */
  readonly introduced: boolean;
}

function turnsOf(messages: readonly ModelMessage[]): readonly Turn[] {
  const turns: { text: string; calls: DoneCall[] }[] = [];
  const wanted = new Map<string, string>();
  for (const message of messages) {
    if (message.role === "user") turns.push({ text: message.content, calls: [] });
    if (message.role === "assistant")
      for (const call of message.toolCalls) wanted.set(call.id, call.arguments);
    if (message.role === "tool") {
      const { toolName: name, content, isError, toolCallId } = message;
      turns.at(-1)?.calls.push({ name, content, isError, arguments: wanted.get(toolCallId) ?? "{}" });
    }
  }
  return turns;
}

function systemText(messages: readonly ModelMessage[]): string {
  return messages.flatMap(({ role, content }) => (role === "system" ? [content] : [])).join("\n");
}

function todayOf(system: string, calls: readonly DoneCall[]): IsoDate | undefined {
  const told = [/^Current date: (\d{4}-\d\d-\d\d)/m, /\b(\d{4}-\d\d-\d\d)\b/]
    .map((pattern) => pattern.exec(system)?.[1])
    .find((date) => date !== undefined && isIsoDate(date));
  if (told !== undefined) return told;
  const asked = calls.find(({ name, isError }) => name === "get_datetime" && !isError);
  const outcome = asked && parseResult(datetimeResult, asked.content);
  return outcome !== undefined && "result" in outcome ? outcome.result.date : undefined;
}

/** Of a call as it was written; malformed ones are none. */
export function argumentsOf({ arguments: text }: DoneCall): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** What a call made by another model was about: its words said it in a way that this one can't read. */
function taskOf(call: DoneCall): Task | undefined {
  const { location, country, region } = argumentsOf(call);
  if (call.name === "get_weather" && typeof location === "string") {
    return { kind: "weather", place: placeNamed(location), days: [], aspect: "general" };
  }
  if (call.name === "get_holidays" && typeof country === "string") {
    const place = placeNamed(country);
    return { kind: "holidays", place: { ...place, ...(typeof region === "string" ? { region } : {}) } };
  }
  return undefined;
}

function placeNamed(name: string): Place {
  const code = /^[A-Z]{2}$/.test(name) ? new Intl.DisplayNames("en", { type: "region" }).of(name) : undefined;
  return findPlace(code ?? name) ?? unknownPlace(name);
}

function topicAfter(turn: Turn, topic: Topic, read: (text: string, topic: Topic) => Topic): Topic {
  const next = read(turn.text, topic);
  const tasks = turn.calls.map(taskOf).filter((task) => task !== undefined);
  if (next.tasks !== topic.tasks || tasks.length === 0) return next;
  const places = tasks.flatMap((task) => ("place" in task && task.place !== undefined ? [task.place] : []));
  return { tasks, places: places.length > 0 ? places : next.places };
}

/** Stands in for an unknown date while only the kind of a question matters. */
const SOME_DAY = "2000-01-01";

/** Reads the whole conversation; the same request always gives the same. */
export function readConversation({ messages, locale }: ModelRequest): Conversation {
  const system = systemText(messages);
  const turns = turnsOf(messages);
  const last = turns.at(-1) ?? { text: "", calls: [] };
  const today = todayOf(system, last.calls);
  const reading = { today: today ?? SOME_DAY, monthFirst: /^en-US\b/i.test(locale) };
  const topic = turns
    .slice(0, -1)
    .reduce(
      (sofar, turn) => topicAfter(turn, sofar, (text, t) => understand(text, reading, t).topic),
      NO_TOPIC,
    );
  return {
    today,
    timezone: /^Time zone: (\S+)/m.exec(system)?.[1],
    intents: understand(last.text, reading, topic).intents,
    calls: last.calls,
    allCalls: turns.flatMap(({ calls }) => calls),
    introduced: messages.some(
      ({ role, content }) => role === "assistant" && content.includes("OPENAI_API_KEY"),
    ),
  };
}
