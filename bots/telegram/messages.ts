import { split } from "../common/split.ts";
import { type FormattedText, formatMarkdown } from "./markdown.ts";

/** "Text of the message to be sent, 1-4096 characters after entities parsing", in UTF-16 units. */
const MAX_UNITS = 4_096;
/** Telegram drops further ones. */
const MAX_ENTITIES = 100;

/** A Markdown text as messages that the Bot API takes; none for a text with nothing to see. */
export function toMessages(markdown: string): FormattedText[] {
  const { text, entities } = formatted(markdown);
  const isCode = ({ type }: FormattedText["entities"][number]) => type === "pre" || type === "code";
  return split(text, entities, { max: MAX_UNITS, isCode }).map((piece) => ({
    text: piece.text,
    entities: theFirst(piece.spans),
  }));
}

/** Styles go first: without its link an address would be lost, without its style no word is. */
function theFirst(entities: FormattedText["entities"]): FormattedText["entities"] {
  if (entities.length <= MAX_ENTITIES) return entities;
  const links = entities.filter(({ type }) => type === "text_link").slice(0, MAX_ENTITIES);
  const others = entities.filter(({ type }) => type !== "text_link").slice(0, MAX_ENTITIES - links.length);
  const kept = new Set([...links, ...others]);
  return entities.filter((entity) => kept.has(entity));
}

function formatted(markdown: string): FormattedText {
  try {
    return formatMarkdown(markdown);
  } catch {
    // Nested too deeply for a parser that recurs, say: an answer without formatting is still one.
    return { text: markdown.toWellFormed(), entities: [] };
  }
}
