import type { ServerError } from "../common/server.ts";

/** What the bot says by itself, word for word. */
export const TEXTS = {
  welcome: (name: string) =>
    `Hello! I am ${name}. Ask me anything: just write.\n\n/help tells what else I can do.`,
  help:
    "Write to me, and I answer. I remember what was said before.\n\n" +
    "/new – begin a new conversation; /new and a question asks it there\n" +
    "/history – the last messages of this conversation\n" +
    "/settings – your time zone and language\n\n" +
    "In groups I answer when I am mentioned, or when you reply to me.",
  newConversation: "A new conversation begins. What would you like to talk about?",
  noHistory: "Nothing was said yet in this conversation. After a long silence a new one begins by itself.",
  unknownCommand: (name: string) => `I don't know /${name}. /help lists what I know.`,
  nothingSaid: "Yes? Mention me together with your question.",

  settings: (timezone: string, language: string) =>
    `Your time zone: ${timezone}\nYour language: ${language}\n\n` +
    "To change them:\n" +
    "/settings Europe/Madrid – or just a city, such as /settings Tokyo\n" +
    "/settings es-ES – a language\n" +
    "/settings reset – back to automatic\n\n" +
    "Or share your location, and I set the time zone from it. The place itself is not kept.",
  shareLocation: "Share my location",
  settingsChanged: (timezone: string, language: string) =>
    `Done. Your time zone: ${timezone}; your language: ${language}.`,
  settingsUnclear: (text: string) =>
    `I know no time zone, city or language "${text}". Try /settings Europe/Madrid or /settings es-ES.`,
  settingsNotKept: "Telegram would not keep your settings just now. Please try again later.",
  settingsInPrivate: (username: string) =>
    `Your settings are between you and me: https://t.me/${username}?start=settings`,
  automatic: { timezone: "the server's", language: "Telegram's" },

  unreadable: {
    sticker: "A nice sticker! I can only read text, though. What can I do for you?",
    voice: "I can't listen to voice messages yet. Please write to me instead.",
    video: "I can't watch videos. Tell me in words what it is about, and I try to help.",
    picture: "I can't look at pictures. Tell me in words what it is about, and I try to help.",
    location: "Send your location in our private chat, and I set your time zone from it.",
    file: "I can't read files. Copy the part that matters into a message, and I try to help.",
    other: "I can only read text. Please write to me.",
  },
  /** Put to the assistant behind the caption of what it can't see. */
  attachment: (kind: string) => `(A ${kind} came with this message. You can't see it.)`,

  notAllowed: (userId: string) =>
    `This bot is private. If you should be able to use it, tell its owner your id: ${userId}`,
  tooMany: (perMinute: number) =>
    `That is a lot at once. I take ${perMinute} messages a minute; please wait a little and send the rest again.`,
  serverAway:
    "I can't reach my server at the moment. Your message is not lost: I answer it as soon as the server is back.",
  nothingToSay: "(The answer was empty.)",
  notShown: "I have an answer, but Telegram would not show it. Please ask in another way.",
  fault: "Something went wrong on my side, and I could not answer this. Please send it again.",
} as const;

export type UnreadableKind = keyof typeof TEXTS.unreadable;

/** Why there is no answer, for the person who asked. */
export function describeTrouble({ code, reason, message }: ServerError): string {
  if (reason === "message") return `I can't take this message: it ${message.replace(/^message /, "")}.`;
  switch (reason) {
    case "model_unavailable":
    case "model_overloaded":
    case "model_interrupted":
    case "model_empty":
      return "The language model gave no answer just now. Please send your message again in a moment.";
    case "model_filtered":
      return "The language model declined to answer this. Please ask in another way.";
    case "model_length":
      return "The answer became too long. Please ask for less at once.";
    case "model_rejected":
      return "The language model is not set up right. Please tell the owner of this bot.";
    case "superseded":
      return "I could not answer this earlier message, and the conversation has gone on. Please send it again.";
  }
  switch (code) {
    case "deadline_exceeded":
      return "This took too long. Please ask for less at once.";
    case "aborted":
    case "resource_exhausted":
      return "I am busy with other messages. Please send this again in a moment.";
    default:
      return TEXTS.fault;
  }
}
