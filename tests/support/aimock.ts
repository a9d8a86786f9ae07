import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type FixtureResponse, LLMock } from "@copilotkit/aimock";
import { type RawReply, writeRaw } from "./raw-sse.ts";

/** What the model answers to one request. */
export type Reply = MockedReply | RawReply;

/** `position`: of the request in {@link Aimock.requests}. */
export type Answerer = (request: ChatRequest, position: number) => Reply;

type MockedReply = AnswerReply | ErrorReply;

interface AnswerReply {
  /** Comes in chunks of 20 characters. */
  readonly text?: string;
  /** `arguments`: an object, or a text that is sent as it is, malformed JSON too. */
  readonly toolCalls?: readonly {
    readonly name: string;
    readonly arguments: object | string;
    readonly id?: string;
  }[];
  /** Overrides the finish_reason that fits the reply, such as `length` or `content_filter`. */
  readonly finishReason?: string;
  /** Default: an estimate by length. Details of the tokens need a {@link RawReply}. */
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
  /** Disconnects in mid-stream after so many chunks; the first chunk holds the role alone. */
  readonly disconnectAfterChunks?: number;
}

interface ErrorReply {
  /** Sent with OpenAI's error body; a 429 also with its rate limit headers and `retry-after`. */
  readonly status: number;
  readonly message?: string;
  readonly code?: string;
  /** Of a 429. Default 1. */
  readonly retryAfterSeconds?: number;
}

/** A request to the model, as it came in. */
export interface ReceivedRequest {
  readonly headers: IncomingMessage["headers"];
  readonly body: ChatRequest;
  /** Settles when the exchange is over: `answered` in full, or `broken` off by either side. */
  readonly outcome: Promise<"answered" | "broken">;
}

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly {
    readonly role: string;
    readonly content: string | null;
    readonly tool_call_id?: string;
    readonly tool_calls?: readonly {
      readonly id: string;
      readonly function: { readonly name: string; readonly arguments: string };
    }[];
  }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
  readonly [field: string]: unknown;
}

/**
 * A model server with OpenAI's API on a free port: aimock, behind a door that takes down each
 * request, hands out the scripted replies in order, and sends what aimock can't by itself.
 *
 * A request that the script has no reply for gets a 404, which names the problem.
 */
export class Aimock {
  /** Every request to the model, in order of arrival. */
  readonly requests: ReceivedRequest[] = [];
  private readonly queue: Reply[] = [];
  private readonly standing: { matches: (request: ChatRequest) => boolean; reply: Reply | Answerer }[] = [];
  private readonly arrivals = new Map<number, (request: ReceivedRequest) => void>();
  private readonly mock = new LLMock({ port: 0 });
  private readonly server = createServer((request, response) => {
    this.serve(request, response).catch((error) =>
      writeRaw(response, { status: 500, raw: [String(error)], ending: "end" }),
    );
  });

  static async start(): Promise<Aimock> {
    const aimock = new Aimock();
    await aimock.mock.start();
    await new Promise<void>((resolve) => aimock.server.listen(0, "127.0.0.1", resolve));
    return aimock;
  }

  /** What `OPENAI_BASE_URL` has to be. */
  get baseUrl(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  /** The number of scripted replies that nobody has asked for yet. */
  get unused(): number {
    return this.queue.length;
  }

  /** Adds replies to the script: each request takes the next one. */
  script(...replies: readonly Reply[]): this {
    this.queue.push(...replies);
    return this;
  }

  /** Answers all requests that match in this way; they take nothing from the script. */
  always(matches: (request: ChatRequest) => boolean, reply: Reply | Answerer): this {
    this.standing.push({ matches, reply });
    return this;
  }

  /** The request with this position in {@link requests}, as soon as it has come in. */
  async request(position: number): Promise<ReceivedRequest> {
    return (
      this.requests[position] ??
      (await new Promise<ReceivedRequest>((resolve) => this.arrivals.set(position, resolve)))
    );
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    await this.mock.stop();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const json = await text(request);
    const body: ChatRequest = JSON.parse(json);
    const position = this.requests.length;
    const received: ReceivedRequest = {
      headers: request.headers,
      body,
      outcome: new Promise((resolve) => {
        response.once("close", () => resolve(response.writableFinished ? "answered" : "broken"));
      }),
    };
    this.requests.push(received);
    this.arrivals.get(position)?.(received);

    const standing = this.standing.find(({ matches }) => matches(body));
    const always = typeof standing?.reply === "function" ? standing.reply(body, position) : standing?.reply;
    const reply = always ?? this.queue.shift() ?? NO_REPLY;
    writeRaw(response, "raw" in reply ? reply : await this.worded(reply, json, String(position)));
  }

  /** What aimock makes of a reply to this request, in full or up to the disconnect. */
  private async worded(reply: MockedReply, json: string, context: string): Promise<RawReply> {
    this.mock.addFixture({ match: { context }, response: toResponse(reply) });
    const answer = await fetch(`${this.mock.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-aimock-context": context },
      body: json,
    });
    const events = (await answer.text()).split(/(?<=\n\n)/);
    const cut = "disconnectAfterChunks" in reply ? reply.disconnectAfterChunks : undefined;
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      raw: events.slice(0, cut),
      ending: cut === undefined ? "end" : "disconnect",
    };
  }
}

const NO_REPLY: MockedReply = { status: 404, message: "The test's script has no reply for this request." };

function toResponse(reply: MockedReply): FixtureResponse {
  if ("status" in reply) {
    const { status, message = "A scripted error.", code, retryAfterSeconds } = reply;
    return { status, error: { message, code }, retryAfter: retryAfterSeconds };
  }
  const { text: content = "", finishReason, usage } = reply;
  const toolCalls = reply.toolCalls?.map((call) => ({ ...call, arguments: toText(call.arguments) }));
  return { content, ...(toolCalls && { toolCalls }), finishReason, usage };
}

function toText(json: object | string): string {
  return typeof json === "string" ? json : JSON.stringify(json);
}
