import { Conversation_Role } from "../../src/gen/acai/chat/chat";
import type { Transcript } from "../common/conversations.ts";

/** Of each message, in UTF-16 units. */
const MAX_SHOWN = 300;

/** A conversation's last messages, as Markdown. */
export function formatHistory({ conversation, messages }: Transcript): string {
  const earlier = conversation.messageCount - messages.length;
  const head = `**${escaped(conversation.title)}**${earlier > 0 ? ` (and ${earlier} messages before)` : ""}`;
  const shown = messages.map(({ role, content }) => {
    const who = role === Conversation_Role.USER ? "You" : "Me";
    return `**${who}:** ${escaped(shortened(content))}`;
  });
  return [head, ...shown].join("\n\n");
}

function shortened(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN).toWellFormed()}…`;
}

/** So that a cut through formatting formats nothing that follows it. */
function escaped(text: string): string {
  return text.replaceAll(/[!-/:-@[-`{-~]/g, "\\$&").replaceAll(/\s*\n\s*/g, "\\\n");
}
