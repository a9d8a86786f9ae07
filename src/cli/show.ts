import { Conversation } from "../gen/acai/chat/chat";
import { CONTRACT_JSON, type CommandContext } from "./context.ts";
import { describeConversation } from "./pages.ts";
import { safeJson } from "./safe-text.ts";
import { transcript } from "./transcript.ts";

/** Prints one conversation whole; `toolResults`: with what each tool answered in full. */
export async function show(
  { connect, streams, json }: CommandContext,
  id: string,
  toolResults: boolean,
): Promise<void> {
  const { stdout } = streams;
  const conversation = await describeConversation(connect().chat, id);
  const text = json
    ? safeJson(Conversation.toJson(conversation, CONTRACT_JSON))
    : transcript(conversation, stdout, toolResults);
  stdout.write(`${text}\n`);
}
