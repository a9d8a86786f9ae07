import type { Conversation } from "../core/chat/conversation.ts";
import { type ArchiveCounts, type ArchivedRecord, ArchiveError } from "./format.ts";

/**
 * Holds records, as they pass, against what an archive promises: conversations in the order of their
 * ids, each followed by all of its turns, numbered from 1 without gaps, with sums that agree. Made of
 * one record's worth of memory, so that both the writing and the reading of an archive can afford it.
 */
export class ConsistencyCheck {
  #counts = { conversations: 0, turns: 0, sessions: 0, usage: 0 };
  #conversation: Conversation | undefined;
  /** Of the conversation's turns so far. */
  #turns = 0;
  #messages = 0;
  /** The id of the last row of the ledger. */
  #lastCall = "";

  get counts(): ArchiveCounts {
    return this.#counts;
  }

  /** @throws ArchiveError */
  add(record: ArchivedRecord): void {
    switch (record.type) {
      case "conversation":
        this.#addConversation(record.conversation);
        break;
      case "turn": {
        const { conversationId, seq, messageOffset, state } = record.turn;
        const follows =
          conversationId === this.#conversation?.id &&
          seq === this.#turns + 1 &&
          messageOffset === this.#messages;
        require(follows, `Turn ${seq} of conversation ${conversationId} does not follow the one before it`);
        this.#turns = seq;
        this.#messages += state === "completed" ? 2 : 1;
        this.#counts.turns++;
        break;
      }
      case "session":
        this.#endConversation();
        require(this.#counts.usage === 0, `Session ${record.session.key} is out of order`);
        this.#counts.sessions++;
        break;
      case "usage":
        this.#endConversation();
        require(record.row.id > this.#lastCall, `Model call ${record.row.id} is out of order`);
        this.#lastCall = record.row.id;
        this.#counts.usage++;
    }
  }

  /** To be called after the last record. @throws ArchiveError */
  end(): void {
    this.#endConversation();
  }

  #addConversation(conversation: Conversation): void {
    const before = this.#conversation?.id ?? "";
    this.#endConversation();
    const inOrder = this.#counts.sessions + this.#counts.usage === 0 && conversation.id > before;
    require(inOrder, `Conversation ${conversation.id} is out of order`);
    this.#conversation = conversation;
    this.#turns = 0;
    this.#messages = 0;
    this.#counts.conversations++;
  }

  #endConversation(): void {
    if (!this.#conversation) return;
    const { id, turnCount, messageCount } = this.#conversation;
    require(turnCount === this.#turns &&
      messageCount ===
        this
          .#messages, `Conversation ${id} counts ${turnCount} turns and ${messageCount} messages, and has ${this.#turns} and ${this.#messages}`);
  }
}

function require(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new ArchiveError(`The records contradict each other: ${problem}.`);
}
