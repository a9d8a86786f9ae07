// A language model's provider that costs as little as possible: OpenAI's chat completions over bare
// sockets, streamed or not. A request whose last message is a user's is answered with a call of the tool,
// any other, or one that offers no tools, with text. The path's first parts set what is to be measured:
// /delay-50/v1 answers 50 ms later, /chunks-100/v1 streams the text in 100 chunks.
import { createServer, type Socket } from "node:net";
import { MODEL, REPLY, TOOL } from "./wire.ts";

interface Behaviour {
  readonly delayMs: number;
  readonly chunks: number;
}

const HEAD_END = "\r\n\r\n";
const LAST_CHUNK = "\r\n0\r\n\r\n";
const ENVELOPE = { id: "chatcmpl-bench", created: 1_790_000_000, model: MODEL };
const USAGE = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };
const TOOL_CALL = { id: "CALL_ID", type: "function", function: { name: TOOL, arguments: "{}" } };
const USAGE_EVENT = `data: ${JSON.stringify({ ...ENVELOPE, object: "chat.completion.chunk", choices: [], usage: USAGE })}\n\n`;
const DONE = "data: [DONE]\n\n";
const STREAMED_CALL = [
  event({ role: "assistant", content: null, tool_calls: [{ index: 0, ...TOOL_CALL }] }),
  event({}, "tool_calls"),
  USAGE_EVENT,
  DONE,
].join("");
const CALL = completion({ role: "assistant", content: null, tool_calls: [TOOL_CALL] }, "tool_calls");
const TEXT = json(completion({ role: "assistant", content: REPLY }, "stop"));
const streamedTexts = new Map<number, string>();
const behaviours = new Map<string, Behaviour>();
let calls = 0;

const server = createServer({ noDelay: true }, (socket) => {
  let pending = "";
  socket.setEncoding("latin1");
  socket.on("data", (data: string) => {
    pending = pending === "" ? data : pending + data;
    for (;;) {
      const request = firstRequest(pending);
      if (!request) return;
      pending = pending.slice(request.length);
      answer(socket, request.target, request.body);
    }
  });
  // Whoever is measured may go at any time.
  socket.on("error", () => socket.destroy());
});
server.listen(Number(process.env.PORT), "127.0.0.1");

/** The first whole HTTP/1.1 request in the text, with its length in it. */
function firstRequest(text: string): { target: string; body: string; length: number } | undefined {
  const headEnd = text.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const bodyStart = headEnd + HEAD_END.length;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  let bodyEnd = bodyStart + Number(length ?? 0);
  if (length === undefined && /\r\ntransfer-encoding: *chunked/i.test(head)) {
    const end = text.indexOf(LAST_CHUNK, bodyStart - 2);
    if (end < 0) return undefined;
    bodyEnd = end + LAST_CHUNK.length;
  }
  if (text.length < bodyEnd) return undefined;
  const target = head.slice(head.indexOf(" ") + 1, head.indexOf(" HTTP/"));
  return { target, body: text.slice(bodyStart, bodyEnd), length: bodyEnd };
}

function answer(socket: Socket, target: string, body: string): void {
  let behaviour = behaviours.get(target);
  if (!behaviour) {
    behaviour = {
      delayMs: Number(/\/delay-(\d+)\//.exec(target)?.[1] ?? 0),
      chunks: Number(/\/chunks-(\d+)\//.exec(target)?.[1] ?? 1),
    };
    behaviours.set(target, behaviour);
  }
  const response = responseTo(body, behaviour.chunks);
  if (behaviour.delayMs === 0) socket.write(response, "latin1");
  else setTimeout(() => socket.write(response, "latin1"), behaviour.delayMs);
}

function responseTo(body: string, chunks: number): string {
  const streamed = body.includes('"stream":true');
  if (!wantsTool(body)) return streamed ? streamedText(chunks) : TEXT;
  const callId = `call_${++calls}`;
  return streamed
    ? eventStream(STREAMED_CALL.replace("CALL_ID", callId))
    : json(CALL.replace("CALL_ID", callId));
}

/** Whether tools are offered and the last message is a user's: quotes within messages are escaped. */
function wantsTool(body: string): boolean {
  return body.includes('"tools":[{') && body.startsWith('"user"', body.lastIndexOf('"role":"') + 7);
}

function streamedText(chunks: number): string {
  let text = streamedTexts.get(chunks);
  if (!text) {
    text = eventStream(textEvents(chunks));
    streamedTexts.set(chunks, text);
  }
  return text;
}

function textEvents(chunks: number): string {
  const first = event({ role: "assistant", content: REPLY });
  const rest = Array.from({ length: chunks - 1 }, () => event({ content: " tick" }));
  return [first, ...rest, event({}, "stop"), USAGE_EVENT, DONE].join("");
}

function event(delta: object, finish: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return `data: ${JSON.stringify({ ...ENVELOPE, object: "chat.completion.chunk", choices })}\n\n`;
}

function completion(message: object, finish: string): string {
  const choices = [{ index: 0, message, finish_reason: finish }];
  return JSON.stringify({ ...ENVELOPE, object: "chat.completion", choices, usage: USAGE });
}

function eventStream(body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function json(body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}
