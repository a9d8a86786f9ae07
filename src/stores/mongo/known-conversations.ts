import type { Conversation } from "../../core/chat/conversation.ts";
import type { NewTurn } from "../../core/chat/turn.ts";
import type { Id } from "../../core/ids.ts";
import type { Sums } from "./conversation-sums.ts";

/** A conversation takes up about half a kilobyte. */
const MAX_KNOWN = 10_000;

interface Known {
  readonly conversation: Conversation;
  /** Its last turn has completed, and is counted. */
  readonly isAtRest: boolean;
}

/**
 * The conversations whose last turn this process has begun, as that turn left them. While it is still the last
 * one, nothing of them can have changed since it completed: such a turn stays as it is, and so does a title
 * that is final. Whether it is the last one the unique index on the next turn's number tells.
 */
export class KnownConversations {
  /** In the order of their last change, oldest first: a map keeps the order of insertion. */
  readonly #known = new Map<Id, Known>();

  /** What the turn would follow, if that is known; it then is not any more. */
  take({ conversationId, owner }: Pick<NewTurn, "conversationId" | "owner">): Conversation | undefined {
    const known = this.#known.get(conversationId);
    if (!known?.isAtRest || known.conversation.titleState === "pending") return undefined;
    if (known.conversation.owner !== owner) return undefined;
    this.#known.delete(conversationId);
    return known.conversation;
  }

  /** Its last turn has begun. */
  begun(conversation: Conversation): void {
    this.#keep({ conversation, isAtRest: false });
  }

  /** A turn has completed, and is counted. */
  completed(id: Id, sums: Sums): void {
    const known = this.#known.get(id);
    if (known?.conversation.turnCount !== sums.turnCount) return;
    this.#keep({ conversation: { ...known.conversation, ...sums }, isAtRest: true });
  }

  /** Its title is final. */
  titled(id: Id, title: string): void {
    const known = this.#known.get(id);
    if (known) this.#keep({ ...known, conversation: { ...known.conversation, title, titleState: "final" } });
  }

  #keep(known: Known): void {
    const { id } = known.conversation;
    this.#known.delete(id);
    this.#known.set(id, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) return;
      this.#known.delete(oldest);
    }
  }
}
