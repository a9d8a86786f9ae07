import type { Step } from "../../core/assistant/step.ts";
import type { Conversation, TitleState } from "../../core/chat/conversation.ts";
import type {
  RunningTurn,
  StoredMessage,
  Turn,
  TurnBase,
  TurnError,
  TurnState,
} from "../../core/chat/turn.ts";

export interface ConversationRow {
  rowid: number;
  id: string;
  owner: string;
  title: string;
  title_state: TitleState;
  turn_count: number;
  message_count: number;
  created_at: number;
  updated_at: number;
}

export interface TurnRow {
  conversation_id: string;
  seq: number;
  id: string;
  owner: string;
  idempotency_key: string | null;
  request_hash: string;
  message_offset: number;
  /** JSON of {@link TurnRequestColumn}. */
  request: string;
  /** JSON array of steps. */
  steps: string;
  /** See ledger.ts. */
  calls: string;
  state: TurnState["state"];
  /** JSON of the reply, or of the error. */
  outcome: string | null;
  lease_holder: string | null;
  lease_expires_at: number | null;
  attempts: number;
  created_at: number;
  updated_at: number;
}

export type TurnRequestColumn = Pick<TurnBase, "user" | "userLocale" | "platform" | "userId">;

export function toConversation(row: ConversationRow): Conversation {
  return {
    id: row.id,
    owner: row.owner,
    title: row.title,
    titleState: row.title_state,
    turnCount: row.turn_count,
    messageCount: row.message_count,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export function toTurn(row: TurnRow): Turn {
  const { user, userLocale, platform, userId } = JSON.parse(row.request) as TurnRequestColumn;
  const base: TurnBase = {
    id: row.id,
    conversationId: row.conversation_id,
    seq: row.seq,
    owner: row.owner,
    messageOffset: row.message_offset,
    idempotencyKey: row.idempotency_key ?? undefined,
    requestHash: row.request_hash,
    userLocale,
    platform,
    userId,
    user,
    steps: JSON.parse(row.steps) as Step[],
    attempts: row.attempts,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
  switch (row.state) {
    case "running":
      return {
        ...base,
        state: "running",
        lease: { holder: row.lease_holder ?? "", expiresAt: row.lease_expires_at ?? 0 },
      };
    case "completed":
      return { ...base, state: "completed", reply: JSON.parse(row.outcome ?? "") as StoredMessage };
    case "failed":
      return { ...base, state: "failed", error: JSON.parse(row.outcome ?? "") as TurnError };
  }
}

export function toRunningTurn(row: TurnRow): RunningTurn {
  const turn = toTurn(row);
  if (turn.state !== "running") throw new Error(`Turn ${turn.id} is ${turn.state}, not running`);
  return turn;
}
