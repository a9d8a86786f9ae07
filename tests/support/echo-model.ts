import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import type { ChatRequest } from "./aimock.ts";
import { localServer } from "./local-server.ts";
import { chunk, writeRaw } from "./raw-sse.ts";

/** What the model answers to a message, after having used a tool. */
export function replyTo(message: string): string {
  return `You said: ${message}`;
}

/**
 * A model server with OpenAI's API whose answers can be told from the question alone: first a call of
 * get_datetime, then {@link replyTo} the message. `pause` gives what each answer takes: a time in
 * milliseconds, or something to wait for.
 */
export async function startEchoModel(pause: () => number | Promise<void>) {
  const { url, close } = await localServer(async (_, response, request) => {
    const { messages }: ChatRequest = JSON.parse(await text(request));
    const pausing = pause();
    await (typeof pausing === "number" ? delay(pausing) : pausing);
    const last = messages.at(-1);
    const question = messages.findLast(({ role }) => role === "user")?.content ?? "";
    const isTitle = messages.length === 2 && messages[0]?.content?.startsWith("Name the subject");
    const call = { name: "get_datetime", arguments: "{}" };
    const events =
      last?.role === "user" && !isTitle
        ? [
            chunk({ tool_calls: [{ index: 0, id: "call_1", type: "function", function: call }] }),
            chunk({}, "tool_calls"),
          ]
        : [chunk({ content: isTitle ? "Talk" : replyTo(question) }), chunk({}, "stop")];
    writeRaw(response, { raw: events });
  });
  return { baseUrl: `${url}/v1`, close };
}
