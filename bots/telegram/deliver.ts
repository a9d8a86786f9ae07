import { type Api, GrammyError } from "grammy";
import type { ReplyKeyboardMarkup, ReplyKeyboardRemove } from "grammy/types";
import type { Place } from "./incoming.ts";
import type { FormattedText } from "./markdown.ts";
import { toMessages } from "./messages.ts";
import { TEXTS } from "./texts.ts";

/**
 * Sends an answer of the assistant, in as many messages as it needs.
 *
 * @throws GrammyError when the chat can't be written to, HttpError when Telegram stays away.
 */
export async function deliver(api: Api, place: Place, markdown: string): Promise<void> {
  const messages = toMessages(markdown);
  const [first = { text: TEXTS.nothingToSay, entities: [] }, ...rest] = messages;
  let to = await sendFormatted(api, place, first);
  for (const message of rest) to = await sendFormatted(api, { ...to, replyTo: undefined }, message);
}

/** Sends a text as it is. Errors as of {@link deliver}. */
export async function say(
  api: Api,
  place: Place,
  text: string,
  keyboard?: ReplyKeyboardMarkup | ReplyKeyboardRemove,
): Promise<void> {
  await send(api, place, { text, entities: [] }, keyboard);
}

/** With its formatting, else without, else a sentence about it. Returns where the chat is now. */
async function sendFormatted(api: Api, place: Place, message: FormattedText): Promise<Place> {
  const forms = [message, { text: message.text, entities: [] }, { text: TEXTS.notShown, entities: [] }];
  for (const [index, form] of forms.entries()) {
    try {
      return await send(api, place, form);
    } catch (error) {
      const refused = error instanceof GrammyError && error.error_code === 400;
      if (!refused || index === forms.length - 1) throw error;
    }
  }
  return place;
}

async function send(
  api: Api,
  place: Place,
  { text, entities }: FormattedText,
  keyboard?: ReplyKeyboardMarkup | ReplyKeyboardRemove,
): Promise<Place> {
  const { chatId, threadId, replyTo } = place;
  try {
    await api.sendMessage(chatId, text, {
      ...(entities.length > 0 && { entities: [...entities] }),
      ...(threadId && { message_thread_id: threadId }),
      ...(replyTo && { reply_parameters: { message_id: replyTo, allow_sending_without_reply: true } }),
      ...(keyboard && { reply_markup: keyboard }),
      link_preview_options: { is_disabled: true },
    });
    return place;
  } catch (error) {
    // A group that became a supergroup has a new id, and messages of the old one can't be replied to.
    const movedTo = error instanceof GrammyError ? error.parameters.migrate_to_chat_id : undefined;
    if (movedTo === undefined) throw error;
    return send(api, { chatId: movedTo }, { text, entities }, keyboard);
  }
}

/** Telegram shows "typing…" for five seconds, or until a message comes. */
const TYPING_MS = 4_500;

/** Shows the bot typing for as long as the work takes. */
export async function whileTyping<T>(api: Api, place: Place, work: () => Promise<T>): Promise<T> {
  const { chatId, threadId } = place;
  const show = () => {
    // Of no consequence: what matters is whether the answer can be sent.
    api
      .sendChatAction(chatId, "typing", threadId ? { message_thread_id: threadId } : {})
      .catch(() => undefined);
  };
  show();
  const timer = setInterval(show, TYPING_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
