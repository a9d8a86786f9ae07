import type { MessageEntity } from "grammy/types";

export interface SentText {
  readonly text: string;
  readonly entities?: readonly MessageEntity[];
}

const STYLES = new Set(["bold", "italic", "underline", "strikethrough", "spoiler"]);
const QUOTES = new Set(["blockquote", "expandable_blockquote"]);
const CODE = new Set(["pre", "code"]);

/**
 * What the Bot API's documentation has against a message ("sendMessage", "MessageEntity",
 * "Formatting options"), written down apart from the bot; undefined when it would take it.
 */
export function brokenRule({ text, entities = [] }: SentText): string | undefined {
  if (!text.isWellFormed()) return "strings must be encoded in UTF-8";
  if (!/[^\s\p{Cc}\p{Cf}]/u.test(text)) return "message text is empty";
  if (text.length > 4_096) return "message is too long";
  if (entities.length > 100) return "more than 100 entities";
  for (const entity of entities) {
    const { offset, length } = entity;
    if (!Number.isInteger(offset) || !Number.isInteger(length)) return "an entity without whole numbers";
    if (offset < 0 || length < 1 || offset + length > text.length) return "an entity outside the text";
    if (splitsPair(text, offset) || splitsPair(text, offset + length)) return "an entity splits a character";
    if (entity.type === "text_link" && !/^https?:\/\/[^\s/]+\.[^\s/]/.test(entity.url))
      return "a link to nowhere";
  }
  for (const [index, first] of entities.entries()) {
    for (const second of entities.slice(index + 1)) {
      const problem = overlapProblem(first, second);
      if (problem) return `${problem}: ${first.type} and ${second.type}`;
    }
  }
  return undefined;
}

function splitsPair(text: string, at: number): boolean {
  return /[\uDC00-\uDFFF]/.test(text.charAt(at)) && /[\uD800-\uDBFF]/.test(text.charAt(at - 1));
}

function overlapProblem(a: MessageEntity, b: MessageEntity): string | undefined {
  const [aEnd, bEnd] = [a.offset + a.length, b.offset + b.length];
  if (aEnd <= b.offset || bEnd <= a.offset) return undefined;
  const contained = (a.offset <= b.offset && bEnd <= aEnd) || (b.offset <= a.offset && aEnd <= bEnd);
  if (!contained) return "entities cross";
  const both = (kind: ReadonlySet<string>) => kind.has(a.type) && kind.has(b.type);
  const one = (kind: ReadonlySet<string>) => kind.has(a.type) || kind.has(b.type);
  if (both(QUOTES)) return "quotes are nested";
  if (one(QUOTES)) return undefined;
  if (one(STYLES) && !one(CODE)) return a.type === b.type ? "a style in itself" : undefined;
  return "entities that can't contain each other";
}
