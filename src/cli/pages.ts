import type { Conversation } from "../gen/acai/chat/chat";
import type { ChatServiceClient } from "../gen/acai/chat/chat.twirp-client";

/** The most that the contract gives at once. */
const MAX_CONVERSATIONS = 200;
const MAX_MESSAGES = 500;

/** The newest conversations, at most `limit`, over as many pages as that takes. */
export async function listConversations(client: ChatServiceClient, limit: number): Promise<Conversation[]> {
  const found: Conversation[] = [];
  let pageToken = "";
  do {
    const pageSize = Math.min(limit - found.length, MAX_CONVERSATIONS);
    const page = await client.ListConversations({ pageSize, pageToken });
    found.push(...page.conversations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && found.length < limit);
  return found.slice(0, limit);
}

/** The conversation with all its messages, over as many pages as that takes. */
export async function describeConversation(
  client: ChatServiceClient,
  conversationId: string,
): Promise<Conversation> {
  const whole = await client.DescribeConversation({ conversationId, pageSize: MAX_MESSAGES, pageToken: "" });
  const { conversation } = whole;
  if (!conversation) throw new Error("The server answered without a conversation");
  for (let pageToken = whole.nextPageToken; pageToken !== ""; ) {
    const page = await client.DescribeConversation({ conversationId, pageSize: MAX_MESSAGES, pageToken });
    conversation.messages.push(...(page.conversation?.messages ?? []));
    pageToken = page.nextPageToken;
  }
  return conversation;
}
