import type { SessionMetadata } from "../gen/acai/chat/chat";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./errors.ts";
import type { History } from "./history.ts";
import { chatLoop } from "./loop.ts";
import { describeConversation } from "./pages.ts";
import { safeJson, safeLine } from "./safe-text.ts";
import { Talk } from "./talk.ts";
import { painter, withSpinner } from "./terminal.ts";
import { contentText, transcript } from "./transcript.ts";

export interface AskOptions {
  /** Of the conversation to go on with. */
  readonly conversationId?: string;
  /** Without, it is read from standard input; from a terminal, one after the other. */
  readonly message?: string;
  readonly metadata: SessionMetadata;
  readonly history: History;
  /** Of a message on standard input. */
  readonly maxBytes: number;
}

/** Asks once, or talks in a loop on a terminal. */
export async function ask(context: CommandContext, options: AskOptions): Promise<void> {
  const { connect, streams, json } = context;
  const { conversationId, metadata, history, maxBytes } = options;
  if (conversationId !== undefined && !/^[0-9a-f]{24}$/.test(conversationId)) {
    throw new UsageError(
      `"${conversationId}" is no id of a conversation. A message goes with -m: parley ask -m "text"`,
    );
  }
  const talk = new Talk({ connect, metadata, conversationId });

  if (options.message !== undefined || !streams.stdin.isTTY) {
    const message = options.message ?? (await readMessage(streams.stdin, maxBytes));
    if (message.trim() === "") throw new UsageError(`The message is empty. Give one: parley ask -m "text"`);
    await askOnce(context, talk, message);
    return;
  }
  if (json) throw new UsageError("--json takes one message, from -m or standard input.");
  if (conversationId !== undefined) {
    const conversation = await describeConversation(connect().chat, conversationId);
    streams.stdout.write(`${transcript(conversation, streams.stdout)}\n\n`);
  }
  await chatLoop(context, { talk, newTalk: () => new Talk({ connect, metadata }), history });
}

async function askOnce({ streams, json }: CommandContext, talk: Talk, message: string): Promise<void> {
  const { stdout, stderr } = streams;
  const isNew = talk.conversationId === undefined;
  const { conversationId, title, reply } = await untilInterrupted((signal) =>
    withSpinner(stderr, () => talk.say(message, signal)),
  );
  if (json) {
    stdout.write(`${safeJson({ conversation_id: conversationId, title, reply })}\n`);
    return;
  }
  if (isNew) stderr.write(`${painter(stderr)("dim", `${safeLine(conversationId)} · ${safeLine(title)}`)}\n`);
  stdout.write(`${contentText(reply, stdout)}\n`);
}

async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  const abort = () => interrupt.abort();
  process.once("SIGINT", abort);
  try {
    return await work(interrupt.signal);
  } finally {
    process.off("SIGINT", abort);
  }
}

async function readMessage(input: NodeJS.ReadableStream, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes) {
      throw new UsageError(`The message on standard input is larger than ${maxBytes} bytes. Send less.`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString().trimEnd();
}
