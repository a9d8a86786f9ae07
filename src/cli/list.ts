import { Conversation } from "../gen/acai/chat/chat";
import type { CommandContext } from "./context.ts";
import { CONTRACT_JSON } from "./context.ts";
import { listConversations } from "./pages.ts";
import { safeJson, safeLine } from "./safe-text.ts";
import { GAP, plainTable } from "./table.ts";
import { painter } from "./terminal.ts";
import { relativeTime } from "./times.ts";
import { cutToWidth, textWidth } from "./width.ts";

/** Prints the newest conversations, at most `limit`. */
export async function list({ connect, streams, json }: CommandContext, limit: number): Promise<void> {
  const conversations = await listConversations(connect().chat, limit);
  const { stdout, stderr } = streams;
  if (json) {
    stdout.write(`${safeJson(conversations.map((found) => Conversation.toJson(found, CONTRACT_JSON)))}\n`);
  } else if (conversations.length === 0) {
    stderr.write("There are no conversations yet. Start one with: parley ask\n");
  } else {
    const [head = "", ...rows] = tableLines(conversations, Date.now(), stdout.columns || undefined);
    stdout.write(`${[painter(stdout)("dim", head), ...rows].join("\n")}\n`);
  }
}

const HEAD = ["ID", "TITLE", "MESSAGES", "UPDATED"];
const MIN_TITLE = 12;

/**
 * A head and a line for each conversation.
 *
 * @param columns of the terminal, which titles are cut to fit; without, they are left whole.
 */
export function tableLines(
  conversations: readonly Conversation[],
  now: number,
  columns = Number.POSITIVE_INFINITY,
): string[] {
  const rows = conversations.map(({ id, title, messageCount, updatedAt }) => [
    safeLine(id),
    safeLine(title),
    String(messageCount),
    relativeTime(updatedAt, now),
  ]);
  const others = [0, 2, 3].map((column) =>
    Math.max(...[HEAD, ...rows].map((row) => textWidth(row[column] ?? "")), 0),
  );
  const room = columns - others.reduce((sum, width) => sum + width + GAP, 0);
  const cut = rows.map(([id = "", title = "", ...rest]) => [
    id,
    cutToWidth(title, Math.max(room, MIN_TITLE)),
    ...rest,
  ]);
  return plainTable([HEAD, ...cut], ["left", "left", "right", "left"]);
}
