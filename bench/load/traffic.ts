import {
  CHAT_SERVICE,
  chatRequest,
  currentTime,
  firstMessages,
  QUESTION,
  REPLY,
  TOOL,
} from "../servers/wire.ts";

/** What the callers of a run do, again and again. */
export type Traffic =
  /** A turn of a server that keeps nothing: POST /turn. */
  | { readonly kind: "turns" }
  /** Turns of Parley, so many in each conversation; `staggered`, callers are not all at the same one of them. */
  | { readonly kind: "conversations"; readonly turns: number; readonly staggered?: boolean }
  /** The next turn of conversations that are there already, one after the other; for one caller. */
  | { readonly kind: "continue"; readonly conversationIds: readonly string[] }
  /** A turn's two model calls by way of a gateway to that provider. */
  | { readonly kind: "gateway"; readonly provider: string }
  /** The same request each time. */
  | { readonly kind: "request"; readonly request: Request };

export interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** ASCII. */
  readonly body?: string;
}

/** Sends a request and returns the answer's body. @throws Error when its status is not 200. */
export type Send = (request: Request) => Promise<string>;

/** One caller's next operation: a request, or several that need one another. @throws Error when an answer is wrong. */
export type Operation = (send: Send) => Promise<void>;

/** Turns that were answered, by conversation. */
export type Acknowledged = Map<string, number>;

const JSON_HEADERS = { "content-type": "application/json" };

/** A caller with a memory of its own, the one at `index` of several. */
export function createCaller(traffic: Traffic, acknowledged: Acknowledged, index: number): Operation {
  switch (traffic.kind) {
    case "turns": {
      const request = post("/turn", { message: QUESTION });
      return async (send) => expectReply(await send(request));
    }
    case "conversations":
      return talker(traffic.turns, acknowledged, traffic.staggered ? index : 0);
    case "continue": {
      const { conversationIds } = traffic;
      let next = 0;
      return async (send) => {
        const id = conversationIds[next++ % conversationIds.length] ?? "";
        expectReply(await send(continued(id)));
        count(acknowledged, id);
      };
    }
    case "gateway": {
      const headers = {
        ...JSON_HEADERS,
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": traffic.provider,
        authorization: "Bearer none",
      };
      const path = "/v1/chat/completions";
      const messages = firstMessages(QUESTION);
      const call = { id: "call_1", type: "function", function: { name: TOOL, arguments: "{}" } };
      const toolMessages = [
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: call.id, content: JSON.stringify(currentTime()) },
      ];
      const first = { ...post(path, chatRequest(messages)), headers };
      const second = { ...post(path, chatRequest([...messages, ...toolMessages])), headers };
      return async (send) => {
        await send(first);
        expectReply(await send(second));
      };
    }
    case "request":
      return async (send) => {
        await send(traffic.request);
      };
  }
}

/** @param skipped turns of the first conversation. */
function talker(turns: number, acknowledged: Acknowledged, skipped: number): Operation {
  let conversationId = "";
  let turn = 0;
  let skip = skipped;
  return async (send) => {
    if (turn === 0) {
      const answer = await send(post(`${CHAT_SERVICE}/StartConversation`, { message: QUESTION }));
      expectReply(answer);
      conversationId = JSON.parse(answer).conversation_id;
    } else {
      expectReply(await send(continued(conversationId)));
    }
    count(acknowledged, conversationId);
    turn = (turn + 1 + skip) % turns;
    skip = 0;
  };
}

function continued(conversationId: string): Request {
  const message = { conversation_id: conversationId, message: QUESTION };
  return post(`${CHAT_SERVICE}/ContinueConversation`, message);
}

function post(path: string, body: object): Request {
  return { method: "POST", path, headers: JSON_HEADERS, body: JSON.stringify(body) };
}

function expectReply(answer: string): void {
  if (!answer.includes(REPLY)) throw new Error(`An answer without the reply: ${answer.slice(0, 500)}`);
}

function count(acknowledged: Acknowledged, conversationId: string): void {
  acknowledged.set(conversationId, (acknowledged.get(conversationId) ?? 0) + 1);
}
