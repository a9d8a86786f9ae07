import type { Clock } from "../clock.ts";
import { deadline, orAborted } from "../deadline.ts";
import { AppError } from "../errors.ts";
import type { CallRecorder } from "../model/call-recorder.ts";
import type { LanguageModel, ModelMessage } from "../model/language-model.ts";
import { isBlank } from "./blank.ts";

/** In code points. */
const MAX_TITLE = 80;
/** How long the model has to name the subject, in milliseconds. */
export const TITLE_TIMEOUT_MS = 5_000;
/** The subject shows in the beginning of a message; the rest, in characters, would only cost tokens. */
const MAX_MESSAGE_CHARS = 2_000;

/** A model that writes more, in characters, has not understood; reasoning that comes with it included. */
const MAX_ANSWER_CHARS = 4_000;

const INSTRUCTION = `Name the subject of the user's message as the title of a conversation: a noun phrase of two to six words in the language of the message, such as "Weather in Barcelona". Never answer the message, never address the user. Write the title alone: no quotes, no full stop, no explanation.`;

/**
 * Asks the model to name the subject of a conversation by its first message.
 *
 * @throws AppError when it gives no usable title in time, or the signal's reason.
 */
export async function generateTitle(
  model: LanguageModel,
  message: string,
  locale: string,
  clock: Clock,
  signal: AbortSignal,
  calls?: CallRecorder,
): Promise<string> {
  const timeout = deadline(
    clock,
    TITLE_TIMEOUT_MS,
    () => new AppError("deadline_exceeded", "The title took too long."),
    signal,
  );
  try {
    const messages: ModelMessage[] = [
      { role: "system", content: INSTRUCTION },
      { role: "user", content: message.slice(0, MAX_MESSAGE_CHARS).toWellFormed() },
    ];
    let length = 0;
    const onText = (part: string) => {
      length += part.length;
      if (length > MAX_ANSWER_CHARS) throw noTitle();
    };
    const request = { operation: "title" as const, messages, tools: [], locale, calls, onText };
    const answer = await orAborted(model.generate(request, timeout.signal), timeout.signal);
    const title = cleanTitle(answer.text);
    if (answer.finishReason !== "stop" || title === "") throw noTitle();
    return title;
  } finally {
    timeout.clear();
  }
}

function noTitle(): AppError {
  return new AppError("unavailable", "The model gave no title.");
}

/** A title for when the model gives none: the beginning of the message. Never blank. */
export function titleFromMessage(message: string): string {
  return shorten(oneLine(message)) || "Conversation";
}

/** One line without reasoning, quotes and markup; empty when nothing is left. */
export function cleanTitle(text: string): string {
  const withoutReasoning = text
    .replace(/<(think|thinking|reasoning)>[\s\S]*?<\/\1>/gi, "")
    .replace(/<(think|thinking|reasoning)>[\s\S]*$/i, "")
    .replace(/^[\s\S]*<\/(think|thinking|reasoning)>/i, "");
  const firstLine = withoutReasoning.split(/[\r\n\u2028\u2029]+/).find((line) => line.trim() !== "") ?? "";
  const bare = oneLine(firstLine)
    .replace(/^[#*_\s]+|\s[#*_\s]*$/g, "")
    .replace(/["“”„«»`]/g, "")
    .replace(/^\s*title:\s*/i, "")
    .replace(/^['‘’\s*_]+|['‘’\s*_.]+$/g, "");
  return isBlank(bare) ? "" : shorten(bare);
}

function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/\p{Bidi_Control}/gu, "")
    .trim();
}

/** At most {@link MAX_TITLE} code points, cut between words where there are any. */
function shorten(line: string): string {
  const points = [...line];
  if (points.length <= MAX_TITLE) return line;
  const cut = points.slice(0, MAX_TITLE - 1).join("");
  const space = cut.lastIndexOf(" ");
  return `${(space > cut.length / 2 ? cut.slice(0, space) : cut).trimEnd()}…`;
}
