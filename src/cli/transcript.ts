import {
  type Conversation,
  type Conversation_Message,
  Conversation_Role,
  type Conversation_ToolCall,
} from "../gen/acai/chat/chat";
import { safeLine, safeText } from "./safe-text.ts";
import { type Output, painter } from "./terminal.ts";
import { localTime } from "./times.ts";
import { wrapWords } from "./width.ts";

/**
 * A conversation as people read it: title and facts, then its messages.
 *
 * @param output is what it is worded for: colours and width are a terminal's.
 * @param toolResults whether to show in full what each tool answered.
 */
export function transcript(conversation: Conversation, output: Output, toolResults = false): string {
  const { id, title, timestamp, messages, messageCount } = conversation;
  const paint = painter(output);
  const count = messageCount === 1 ? "1 message" : `${messageCount} messages`;
  const facts = `${safeLine(id)} · ${count} · started ${localTime(timestamp)}`;
  const head = `${paint("bold", safeLine(title))}\n${paint("dim", facts)}`;
  return [head, ...messages.map((message) => messageText(message, output, toolResults))].join("\n\n");
}

/** What was said, without a heading. */
export function contentText(content: string, output: Output): string {
  // A terminal that has not told its size yet says 0.
  return wrapWords(safeText(content), output.columns || undefined);
}

function messageText(message: Conversation_Message, output: Output, toolResults: boolean): string {
  const paint = painter(output);
  const { role, timestamp, content, toolCalls } = message;
  return [
    `${paint("cyan", SPEAKERS[role])} ${paint("dim", `· ${localTime(timestamp)}`)}`,
    ...toolCalls.map((call) => paint("dim", toolCallText(call, toolResults))),
    contentText(content, output),
  ].join("\n");
}

const SPEAKERS: Readonly<Record<Conversation_Role, string>> = {
  [Conversation_Role.UNKNOWN]: "Unknown",
  [Conversation_Role.USER]: "You",
  [Conversation_Role.ASSISTANT]: "Parley",
};

function toolCallText(call: Conversation_ToolCall, toolResults: boolean): string {
  const { name, arguments: args, outcome, durationMs } = call;
  const ending = outcome.oneofKind === "error" ? `error: ${safeLine(outcome.error)}` : "ok";
  const line = `  ${safeLine(name)} ${safeLine(args)} → ${ending}, ${durationMs} ms`;
  if (!toolResults || outcome.oneofKind !== "result") return line;
  return `${line}\n${safeText(pretty(outcome.result)).replace(/^/gm, "    ")}`;
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), undefined, 2);
  } catch {
    return json;
  }
}
