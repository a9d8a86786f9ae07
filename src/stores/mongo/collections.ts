import type { Collection, Db } from "mongodb";
import type { TurnRef } from "../../core/chat/turn.ts";
import type { Id } from "../../core/ids.ts";
import type { Sums } from "./conversation-sums.ts";
import type { ConversationDocument, TurnDocument } from "./documents.ts";
import { GroupedWrites } from "./grouped-writes.ts";

/** Where conversations and turns are, and what is done with them in more than one place. */
export class Collections {
  readonly conversations: Collection<ConversationDocument>;
  readonly turns: Collection<TurnDocument>;
  readonly conversationWrites: GroupedWrites<ConversationDocument>;
  readonly turnWrites: GroupedWrites<TurnDocument>;

  constructor(db: Db) {
    this.conversations = db.collection<ConversationDocument>("conversations");
    this.turns = db.collection<TurnDocument>("turns");
    this.conversationWrites = new GroupedWrites(this.conversations);
    this.turnWrites = new GroupedWrites(this.turns);
  }

  /** The conversation's last turn, also when it is not counted yet; bounded by its index at any length. */
  lastTurn(conversation: ConversationDocument, signal: AbortSignal): Promise<TurnDocument | null> {
    const filter = { conversation_id: conversation._id, seq: { $gte: conversation.turn_count } };
    return this.turns.findOne(filter, { sort: { seq: -1 }, signal });
  }

  /** Brings the conversation's sums up to these. */
  async count(id: Id, sums: Sums, signal: AbortSignal): Promise<void> {
    const { turnCount, messageCount, updatedAt } = sums;
    const $max = { turn_count: turnCount, message_count: messageCount, updated_at: new Date(updatedAt) };
    if (!(await this.conversationWrites.update({ filter: { _id: id }, update: { $max } }, signal))) {
      throw new Error(`Turn ${turnCount} of conversation ${id} has no conversation`);
    }
  }
}

/** Every access to one turn starts with this: with the shard key, then the index that finds it. */
export function address({ conversationId, seq }: TurnRef) {
  return { conversation_id: conversationId, seq };
}
