import {
  type Conversation,
  conversationNotFound,
  type NewConversation,
} from "../../core/chat/conversation.ts";
import type { BeginOutcome } from "../../core/chat/conversation-store.ts";
import type { NewTurn } from "../../core/chat/turn.ts";
import type { ModelCall } from "../../core/ledger/model-call.ts";
import type { Collections } from "./collections.ts";
import { countedUp, sumsUpTo } from "./conversation-sums.ts";
import {
  newConversationDocument,
  newTurnDocument,
  type TurnDocument,
  toConversation,
  toRunningTurn,
  toTurn,
} from "./documents.ts";
import type { KnownConversations } from "./known-conversations.ts";

/** Begins turns: {@link ConversationStore.beginTurn}. */
export class TurnStarter {
  readonly #stored: Collections;
  readonly #known: KnownConversations;

  constructor(stored: Collections, known: KnownConversations) {
    this.#stored = stored;
    this.#known = known;
  }

  async begin(
    turn: NewTurn,
    ifMissing: NewConversation | undefined,
    calls: readonly ModelCall[],
    signal: AbortSignal,
  ): Promise<BeginOutcome> {
    return (
      (await this.#beginInKnown(turn, calls, signal)) ??
      (await this.#beginAfterLook(turn, ifMissing, calls, signal))
    );
  }

  /** Begins the turn without a look, after what this process knows to be the last one; undefined if it is not. */
  async #beginInKnown(
    turn: NewTurn,
    calls: readonly ModelCall[],
    signal: AbortSignal,
  ): Promise<BeginOutcome | undefined> {
    const conversation = this.#known.take(turn);
    if (!conversation) return undefined;
    const document = newTurnDocument(turn, conversation, callsIn(conversation, calls));
    const inserted = await this.#insert(document, signal);
    if (!inserted) return undefined;
    return isHeldFor(turn, inserted) ? this.#begun(inserted, conversation) : duplicate(inserted);
  }

  async #beginAfterLook(
    turn: NewTurn,
    ifMissing: NewConversation | undefined,
    calls: readonly ModelCall[],
    signal: AbortSignal,
  ): Promise<BeginOutcome> {
    // Each round reads how things stand and tries one insert. When that is refused, what there is now
    // tells why: no error's text, which servers word differently.
    for (;;) {
      let stored = await this.#stored.conversations.findOne({ _id: turn.conversationId }, { signal });
      let isNew = false;
      if (!stored && ifMissing) {
        stored = newConversationDocument(ifMissing);
        isNew = await this.#stored.conversationWrites.insert(stored, signal);
        if (!isNew) continue;
      }
      if (stored?.owner !== turn.owner) throw conversationNotFound();

      // In this order: a running turn that has the key itself must be found by it.
      const last = isNew ? null : await this.#stored.lastTurn(stored, signal);
      const keyed = isNew ? null : await this.#keyedTurn(turn, signal);
      const conversation = toConversation(stored);
      if (keyed) return duplicate(keyed);
      if (last?.state === "running") return { type: "busy", running: toRunningTurn(last) };
      if (last?.state === "failed" && !(await this.#supersede(last, signal))) continue;

      const before = last ? sumsUpTo(toTurn(last)) : conversation;
      const document = newTurnDocument(turn, before, callsIn(conversation, calls));
      const inserted = await this.#insert(document, signal);
      if (!inserted) continue;
      if (!isHeldFor(turn, inserted)) return duplicate(inserted);
      await this.#stored.count(conversation.id, sumsUpTo(toTurn(inserted)), signal);
      return this.#begun(inserted, conversation);
    }
  }

  /**
   * The turn as it is stored; undefined when another one has its place. While the answer to the insert was
   * lost, another process may have found the turn, and even ended it.
   */
  async #insert(document: TurnDocument, signal: AbortSignal): Promise<TurnDocument | undefined> {
    if (await this.#stored.turnWrites.insert(document, signal)) return document;
    const { conversation_id, seq, turn_id } = document;
    const stored = await this.#stored.turns.findOne({ conversation_id, seq }, { signal });
    return stored?.turn_id === turn_id ? stored : undefined;
  }

  /** @param conversation as it was before the turn, or is by now. */
  #begun(document: TurnDocument, conversation: Conversation): BeginOutcome {
    const turn = toRunningTurn(document);
    const counted = countedUp(conversation, sumsUpTo(turn));
    this.#known.begun(counted);
    // As it was when the turn's calls were taken down: it may have got its title since.
    const isNamed = document.calls?.some(({ operation }) => operation === "title");
    return { type: "begun", turn, conversation: isNamed ? { ...counted, titleState: "pending" } : counted };
  }

  async #keyedTurn(turn: NewTurn, signal: AbortSignal): Promise<TurnDocument | null> {
    const { conversationId, idempotencyKey } = turn;
    if (idempotencyKey === undefined) return null;
    const filter = { conversation_id: conversationId, idempotency_key: idempotencyKey };
    return this.#stored.turns.findOne(filter, { signal });
  }

  /**
   * Closes a failed turn for good, before a turn is put after it: otherwise it could be reopened, and
   * gain a reply, between this process's reading of it and the insert that builds on what was read.
   */
  async #supersede(turn: TurnDocument, signal: AbortSignal): Promise<boolean> {
    const { conversation_id, seq } = turn;
    const filter = { conversation_id, seq, state: "failed" as const };
    return this.#stored.turnWrites.update({ filter, update: { $set: { superseded: true } } }, signal);
  }
}

function isHeldFor({ lease: { holder } }: NewTurn, { lease }: TurnDocument): boolean {
  return lease.holder === holder;
}

function duplicate(document: TurnDocument): BeginOutcome {
  return { type: "duplicate", turn: toTurn(document) };
}

/** Of a turn's first calls, those that are made. */
function callsIn({ titleState }: Conversation, calls: readonly ModelCall[]): readonly ModelCall[] {
  return calls.filter(({ operation }) => operation !== "title" || titleState === "pending");
}
