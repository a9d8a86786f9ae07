// The floor: what a turn costs without anything around it. node:http, undici, two model calls and a tool;
// no storage, no checks, no retries, no limits.
import { createServer } from "node:http";
import { Pool } from "undici";
import { chatRequest, currentTime, firstMessages } from "./wire.ts";

const base = new URL(process.env.MODEL_URL ?? "");
const pool = new Pool(base.origin, { connections: 512 });
const headers = { "content-type": "application/json", authorization: "Bearer none" };

interface Completion {
  readonly choices: readonly {
    readonly message: {
      readonly content: string | null;
      readonly tool_calls?: readonly { readonly id: string }[];
    };
  }[];
}

createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  const { message } = JSON.parse(text);
  const messages = firstMessages(message);
  let answer = await complete(messages);
  while (answer?.tool_calls) {
    messages.push(answer);
    for (const { id } of answer.tool_calls) {
      messages.push({ role: "tool", tool_call_id: id, content: JSON.stringify(currentTime()) });
    }
    answer = await complete(messages);
  }
  const reply = JSON.stringify({ reply: answer?.content });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(reply) });
  response.end(reply);
}).listen(Number(process.env.PORT), "127.0.0.1");

async function complete(messages: readonly object[]) {
  const body = JSON.stringify(chatRequest(messages));
  const path = `${base.pathname}/chat/completions`;
  const response = await pool.request({ method: "POST", path, headers, body });
  const { choices } = (await response.body.json()) as Completion;
  return choices[0]?.message;
}
