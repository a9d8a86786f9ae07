import type { ServerResponse } from "node:http";

/** A response written byte for byte: for what a well-behaved model server never sends. */
export interface RawReply {
  /** Default 200. */
  readonly status?: number;
  /** Default: those of an event stream. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In order: an object is sent as one SSE event, a string as it is. */
  readonly raw: readonly (object | string)[];
  /**
   * What follows the last part:
   * - `done` (default): SSE's `[DONE]`, then the end;
   * - `end`: the end, without `[DONE]`;
   * - `disconnect`: the socket is destroyed;
   * - `hang`: nothing, until the client goes away.
   *
   * With an empty `raw`, the last two come instead of a status line.
   */
  readonly ending?: "done" | "end" | "disconnect" | "hang";
}

/** One `chat.completion.chunk` with this delta. */
export function chunk(delta: object, finishReason: string | null = null): object {
  return {
    id: "chatcmpl-raw",
    object: "chat.completion.chunk",
    created: 0,
    model: "raw",
    choices: [{ index: 0, delta, finish_reason: finishReason }],
  };
}

/** The chunk that OpenAI sends last, without choices. */
export function usageChunk(usage: object): object {
  return { ...chunk({}), choices: [], usage };
}

/** A refusal as OpenAI sends it: in `refusal`, with no content. */
export function refusal(text: string): RawReply {
  return {
    raw: [
      chunk({ role: "assistant", content: null, refusal: "" }),
      chunk({ refusal: text }),
      chunk({}, "stop"),
    ],
  };
}

export function writeRaw(response: ServerResponse, reply: RawReply): void {
  response.writeHead(reply.status ?? 200, reply.headers ?? { "content-type": "text/event-stream" });
  for (const part of reply.raw) {
    response.write(typeof part === "string" ? part : `data: ${JSON.stringify(part)}\n\n`);
  }
  switch (reply.ending ?? "done") {
    case "done":
      response.end("data: [DONE]\n\n");
      break;
    case "end":
      response.end();
      break;
    case "disconnect":
      if (reply.raw.length === 0) response.destroy();
      // The callback comes once the operating system has the bytes: no timer needed.
      else response.write("\n", () => response.destroy());
      break;
    case "hang":
      break;
  }
}
