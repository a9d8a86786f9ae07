import type { Message, Update, UserFromGetMe } from "grammy/types";
import { TEXTS, type UnreadableKind } from "./texts.ts";

/** Where an answer goes. */
export interface Place {
  readonly chatId: number;
  /** Of a topic in a forum. */
  readonly threadId?: number;
  /** The message that is answered, where that is not plain to see. */
  readonly replyTo?: number;
}

export type Content =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "command"; readonly name: string; readonly argument: string }
  | { readonly type: "location"; readonly latitude: number; readonly longitude: number }
  | { readonly type: "unreadable"; readonly kind: UnreadableKind };

/** An update that somebody expects an answer to. */
export interface Incoming {
  readonly updateId: number;
  readonly place: Place;
  readonly isPrivate: boolean;
  /** Of the person, or of the chat in whose name an anonymous one writes. */
  readonly userId: number;
  /** IETF tag of the person's app, if it tells. */
  readonly languageCode?: string;
  /** Milliseconds since the Unix epoch. */
  readonly sentAt: number;
  /** Of an album, which comes as several messages. */
  readonly albumId?: string;
  readonly content: Content;
}

export const COMMANDS = [
  { command: "new", description: "Begin a new conversation" },
  { command: "history", description: "The last messages of this conversation" },
  { command: "settings", description: "Your time zone and language" },
  { command: "help", description: "What I can do" },
] as const;

const COMMAND_NAMES: ReadonlySet<string> = new Set(["start", ...COMMANDS.map(({ command }) => command)]);

/** How much of a quoted message goes along with the answer to it, in UTF-16 units. */
const MAX_QUOTE = 1_000;

/**
 * What an update says to the bot; undefined when it says nothing: between others in a group, from a
 * bot, a pinned message and the like. In groups the bot is spoken to by a command, by a mention or by
 * a reply to it. An edited message is a new one, unless nothing of it can be read.
 */
export function readUpdate(update: Update, me: UserFromGetMe): Incoming | undefined {
  const message = update.message ?? update.edited_message;
  if (!message || message.is_automatic_forward) return undefined;
  const sender = message.sender_chat ?? message.from;
  if (!sender || (!message.sender_chat && message.from?.is_bot)) return undefined;
  const isPrivate = message.chat.type === "private";
  const content = readContent(message, me, isPrivate);
  if (!content) return undefined;
  const edited = update.edited_message !== undefined;
  if (edited && (content.type === "unreadable" || content.type === "location")) return undefined;
  const threadId = message.is_topic_message ? message.message_thread_id : undefined;
  const replyTo = isPrivate && !edited ? undefined : message.message_id;
  return {
    updateId: update.update_id,
    place: { chatId: message.chat.id, threadId, replyTo },
    isPrivate,
    userId: sender.id,
    languageCode: message.from?.language_code,
    sentAt: (message.edit_date ?? message.date) * 1000,
    albumId: message.media_group_id,
    content,
  };
}

function readContent(message: Message, me: UserFromGetMe, isPrivate: boolean): Content | undefined {
  const command = readCommand(message, me);
  if (command) {
    const known = COMMAND_NAMES.has(command.name);
    return known || isPrivate || command.isForMe ? { type: "command", ...command } : undefined;
  }
  if (!isPrivate && !mentions(message, me) && !repliesTo(message, me)) return undefined;
  const words = withoutMention(message.text ?? message.caption ?? "", me);
  const quoted = quoteOf(message, me);
  const kind = unreadableKind(message);
  if (words !== "" || (quoted !== "" && kind === undefined)) {
    const attached = kind && kind !== "other" ? TEXTS.attachment(kind) : "";
    return { type: "text", text: [quoted, words, attached].filter(Boolean).join("\n\n") };
  }
  if (message.location && isPrivate) return { type: "location", ...message.location };
  if (kind) return { type: "unreadable", kind };
  // Nothing but a mention.
  return message.text === undefined ? undefined : { type: "text", text: "" };
}

/** A command for this bot, or for whichever bot knows it. */
function readCommand({ text = "", entities = [] }: Message, me: UserFromGetMe) {
  const length = entities.find(({ type, offset }) => type === "bot_command" && offset === 0)?.length;
  if (length === undefined) return undefined;
  const [name = "", bot] = text.slice(1, length).split("@");
  const isForMe = bot?.toLowerCase() === me.username.toLowerCase();
  if (bot !== undefined && !isForMe) return undefined;
  return { name: name.toLowerCase(), argument: text.slice(length).trim(), isForMe };
}

function mentions(message: Message, me: UserFromGetMe): boolean {
  const text = message.text ?? message.caption ?? "";
  const name = `@${me.username}`.toLowerCase();
  return (message.entities ?? message.caption_entities ?? []).some(
    (entity) =>
      (entity.type === "mention" &&
        text.slice(entity.offset, entity.offset + entity.length).toLowerCase() === name) ||
      (entity.type === "text_mention" && entity.user.id === me.id),
  );
}

function repliesTo({ reply_to_message: answered }: Message, me: UserFromGetMe): boolean {
  // In a topic all messages are answers to its beginning, at least.
  return answered?.from?.id === me.id && !answered.forum_topic_created;
}

function withoutMention(text: string, me: UserFromGetMe): string {
  return text.replaceAll(new RegExp(`@${me.username}(?!\\w)[,:]?`, "gi"), "").trim();
}

/** What somebody refers to, as a Markdown quote. The bot's own answers the assistant knows already. */
function quoteOf({ quote, reply_to_message: answered }: Message, me: UserFromGetMe): string {
  const others = answered && answered.from?.id !== me.id ? (answered.text ?? answered.caption) : undefined;
  const text = quote?.text ?? others ?? "";
  if (text === "") return "";
  const shown = text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…`.toWellFormed() : text;
  return shown.replace(/^/gm, "> ");
}

function unreadableKind(message: Message): UnreadableKind | undefined {
  if (message.sticker) return "sticker";
  if (message.voice || message.audio) return "voice";
  if (message.video || message.video_note || message.live_photo) return "video";
  // An animation is a document, too, for older bots.
  if (message.photo || message.animation) return "picture";
  if (message.document) return "file";
  if (message.location || message.venue) return "location";
  const { contact, dice, game, poll, story, checklist, paid_media, rich_message } = message;
  return (contact ?? dice ?? game ?? poll ?? story ?? checklist ?? paid_media ?? rich_message)
    ? "other"
    : undefined;
}
