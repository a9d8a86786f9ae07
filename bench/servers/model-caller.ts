// What one call of a model costs, by several ways to make it: each POST makes CALLS of them, one after the
// other, and CALLER says how. The answer is streamed, and read to its end.
import { createServer } from "node:http";
import OpenAI, { type ClientOptions } from "openai";
import { Agent, Pool } from "undici";
import type { Logger } from "../../src/core/logger.ts";
import type { ModelMessage, ModelRequest } from "../../src/core/model/language-model.ts";
import { openOutbound } from "../../src/net/outbound.ts";
import { createOpenAIModel } from "../../src/providers/openai/index.ts";
import { thinFetch } from "./thin-fetch.ts";
import { chatRequest, MODEL, QUESTION, REPLY, SYSTEM_PROMPT, TOOL, TOOL_DESCRIPTION } from "./wire.ts";

const baseUrl = process.env.MODEL_URL ?? "";
const calls = Number(process.env.CALLS);
const parameters = { type: "object", properties: { timezone: { type: "string" } } };
const history: readonly ModelMessage[] = [
  { role: "system", content: SYSTEM_PROMPT },
  { role: "user", content: QUESTION },
  { role: "assistant", content: REPLY, toolCalls: [] },
  { role: "user", content: QUESTION },
  { role: "assistant", content: REPLY, toolCalls: [] },
];

/** Each makes a call and returns the answer's text. */
const CALLERS: Record<string, () => () => Promise<string>> = {
  parley,
  sdk: () => sdk(),
  "sdk-thin": () => sdk(thinFetch(new Agent({ connections: 512 }))),
  bare,
};

const call = CALLERS[process.env.CALLER ?? ""]?.();

createServer(async (request, response) => {
  request.resume();
  for (let made = 0; made < calls; made++) {
    const text = await call?.();
    if (!text?.startsWith(REPLY)) throw new Error(`No answer but ${text}`);
  }
  response.end(REPLY);
}).listen(Number(process.env.PORT), "127.0.0.1");

/** The provider as Parley has it. */
function parley() {
  const ignore = () => undefined;
  const log: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => log };
  const outbound = openOutbound({ rules: [() => true], log });
  const model = createOpenAIModel({ apiKey: "none", model: MODEL, baseUrl, http: outbound.streaming });
  const request: ModelRequest = {
    operation: "reply",
    messages: history,
    tools: [{ name: TOOL, description: TOOL_DESCRIPTION, parameters }],
    locale: "en",
  };
  return async () => {
    const { signal } = new AbortController();
    return (await model.generate(request, signal)).text;
  };
}

/** The official SDK over a `fetch`: by default Node's own. */
function sdk(fetch?: ClientOptions["fetch"]) {
  const client = new OpenAI({ apiKey: "none", baseURL: baseUrl, maxRetries: 0, fetch });
  const request = streamed() as unknown as OpenAI.ChatCompletionCreateParamsStreaming;
  return async () => {
    const { signal } = new AbortController();
    let text = "";
    for await (const chunk of await client.chat.completions.create(request, { signal })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    return text;
  };
}

/** As little as undici lets it be: nothing is bounded, no failure told apart. */
function bare() {
  const { origin, pathname } = new URL(baseUrl);
  const pool = new Pool(origin, { connections: 512 });
  const headers = { "content-type": "application/json", authorization: "Bearer none" };
  return async () => {
    const body = JSON.stringify(streamed());
    const path = `${pathname}/chat/completions`;
    const response = await pool.request({ method: "POST", path, headers, body });
    let text = "";
    for (const line of (await response.body.text()).split("\n")) {
      if (!line.startsWith("data: {")) continue;
      text += JSON.parse(line.slice(6)).choices[0]?.delta.content ?? "";
    }
    return text;
  };
}

function streamed(): object {
  const messages = history.map(({ role, content }) => ({ role, content }));
  return { ...chatRequest(messages), stream: true, stream_options: { include_usage: true } };
}
