import type { Conversation } from "../core/chat/conversation.ts";
import type { EndedTurn, Turn } from "../core/chat/turn.ts";
import type { Id } from "../core/ids.ts";
import type { UsageRow } from "../core/ledger/model-call.ts";

export interface StoredSession {
  readonly key: string;
  /** It may have no turn yet: the session's first message makes it. */
  readonly conversationId: Id;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

export type BackupRecord<T extends Turn = Turn> =
  | { readonly type: "conversation"; readonly conversation: Conversation }
  | { readonly type: "turn"; readonly turn: T }
  | { readonly type: "session"; readonly session: StoredSession }
  | { readonly type: "usage"; readonly row: UsageRow };

/** A store that can be read whole while others write to it. */
export interface BackupSource {
  /** How many turns there are about now: for a progress bar. */
  countTurns(): Promise<number>;
  /**
   * Every conversation, ordered by id and each followed by its turns in order, then the sessions, then the
   * ledger ordered by id, with the calls of running turns. A conversation's sums agree with the turns that
   * follow it, of which only the last may be running. All that was written before the first record was
   * asked for is there; of what is written meanwhile, a conversation has its turns up to some turn, or is
   * absent.
   */
  records(): AsyncIterable<BackupRecord>;
}

export interface RestoredTurn {
  readonly turn: EndedTurn;
  /** Whether it is its conversation's last one: only that can be reopened. */
  readonly isLast: boolean;
}

/** Records to write; a turn's conversation is in the same batch or in one before. */
export interface RestoreBatch {
  readonly conversations: readonly Conversation[];
  readonly turns: readonly RestoredTurn[];
  readonly sessions: readonly StoredSession[];
  readonly usage: readonly UsageRow[];
}

/** A store that an archive can be restored into. Nothing else may use it meanwhile. */
export interface BackupTarget {
  /** Whether it holds no conversation, no turn, no session and no row of the ledger. */
  isEmpty(): Promise<boolean>;
  /** Removes all of them; the schema stays. */
  clear(): Promise<void>;
  /** Adds the records; they are durable when this resolves. */
  insert(batch: RestoreBatch): Promise<void>;
}
