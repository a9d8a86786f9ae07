import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Mastra } from "@mastra/core";
import { Agent } from "@mastra/core/agent";
import { createTool } from "@mastra/core/tools";
import { LibSQLStore } from "@mastra/libsql";
import { Memory } from "@mastra/memory";
import { z } from "zod";
import { currentTime, MODEL, SYSTEM_PROMPT, TOOL, TOOL_DESCRIPTION } from "../servers/wire.ts";
import { serve } from "./serve.mjs";

const provider = createOpenAICompatible({ name: "bench", baseURL: process.env.MODEL_URL, apiKey: "none" });
const storage = new LibSQLStore({ id: "bench", url: "file:mastra.db" });
const clock = createTool({
  id: TOOL,
  description: TOOL_DESCRIPTION,
  inputSchema: z.object({ timezone: z.string().optional() }),
  execute: async () => currentTime(),
});
const agent = new Agent({
  id: "assistant",
  name: "assistant",
  instructions: SYSTEM_PROMPT,
  model: provider(MODEL),
  tools: { [TOOL]: clock },
  memory: new Memory({ options: { lastMessages: 10 } }),
});
const mastra = new Mastra({ agents: { assistant: agent }, storage, logger: false });

serve(async (message) => {
  const memory = { thread: crypto.randomUUID(), resource: "bench" };
  const { text } = await mastra.getAgent("assistant").generate(message, { memory, maxSteps: 5 });
  return text;
});
