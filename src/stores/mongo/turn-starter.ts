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
    // Another process can still make one between this look and the insert: what begins with another field than
    // the conversation can't be unique.
    const made = ifMissing && (await this.#turnWithKey(turn, { owner: turn.owner }, signal));
    if (made) return duplicate(made);
    const known = this.#known.take(turn);
    const document = known && newTurnDocument(turn, known, callsIn(known, calls));
    if (known && document && (await this.#stored.turnWrites.insert(document, signal))) {
      return this.#begun(document, known);
    }
    return this.#beginAfterLook(turn, ifMissing, calls, signal, document);
  }

  /** @param tried was to be inserted after what was known to be the last turn, and perhaps was. */
  async #beginAfterLook(
    turn: NewTurn,
    ifMissing: NewConversation | undefined,
    calls: readonly ModelCall[],
    signal: AbortSignal,
    tried: TurnDocument | undefined,
  ): Promise<BeginOutcome> {
    // Each round reads how things stand and tries one insert. When that is refused, or its answer is lost,
    // what there is now tells why: no error's text, which servers word differently.
    for (;;) {
      let stored = await this.#stored.conversations.findOne({ _id: turn.conversationId }, { signal });
      let isNew = false;
      if (!stored && ifMissing) {
        stored = newConversationDocument(ifMissing);
        isNew = await this.#stored.conversationWrites.insert(stored, signal);
        if (!isNew) continue;
      }
      if (stored?.owner !== turn.owner) throw conversationNotFound();

      // In this order: a running turn that has the key itself must be found by it, and one that is this very
      // turn, inserted late, as that.
      const last = isNew ? null : await this.#stored.lastTurn(stored, signal);
      const place = { conversation_id: turn.conversationId };
      const keyed = isNew ? null : await this.#turnWithKey(turn, place, signal);
      const own = tried && (await this.#ownTurn(tried, signal));
      const conversation = toConversation(stored);
      if (own) return this.#beginCounted(turn, own, conversation, signal);
      if (keyed) return duplicate(keyed);
      if (last?.state === "running") return { type: "busy", running: toRunningTurn(last) };
      if (last?.state === "failed" && !(await this.#supersede(last, signal))) continue;

      const before = last ? sumsUpTo(toTurn(last)) : conversation;
      tried = newTurnDocument(turn, before, callsIn(conversation, calls));
      if (await this.#stored.turnWrites.insert(tried, signal)) {
        return this.#beginCounted(turn, tried, conversation, signal);
      }
    }
  }

  /** @param document as it is stored: it may have been taken over since it was inserted. */
  async #beginCounted(
    turn: NewTurn,
    document: TurnDocument,
    conversation: Conversation,
    signal: AbortSignal,
  ): Promise<BeginOutcome> {
    if (document.lease.holder !== turn.lease.holder) return duplicate(document);
    await this.#stored.count(conversation.id, sumsUpTo(toTurn(document)), signal);
    return this.#begun(document, conversation);
  }

  /**
   * The turn whose insert was tried, where it was done after all. Another process may have found it by now, and
   * even ended it.
   */
  async #ownTurn(tried: TurnDocument, signal: AbortSignal): Promise<TurnDocument | undefined> {
    const { conversation_id, seq, turn_id } = tried;
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

  async #turnWithKey(
    { idempotencyKey }: NewTurn,
    place: Partial<Pick<TurnDocument, "owner" | "conversation_id">>,
    signal: AbortSignal,
  ): Promise<TurnDocument | null> {
    if (idempotencyKey === undefined) return null;
    return this.#stored.turns.findOne({ ...place, idempotency_key: idempotencyKey }, { signal });
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

function duplicate(document: TurnDocument): BeginOutcome {
  return { type: "duplicate", turn: toTurn(document) };
}

/** Of a turn's first calls, those that are made. */
function callsIn({ titleState }: Conversation, calls: readonly ModelCall[]): readonly ModelCall[] {
  return calls.filter(({ operation }) => operation !== "title" || titleState === "pending");
}
