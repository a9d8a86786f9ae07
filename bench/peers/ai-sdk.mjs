import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, tool } from "ai";
import { z } from "zod";
import { currentTime, MODEL, SYSTEM_PROMPT, TOOL, TOOL_DESCRIPTION } from "../servers/wire.ts";
import { serve } from "./serve.mjs";

const provider = createOpenAICompatible({ name: "bench", baseURL: process.env.MODEL_URL, apiKey: "none" });
const model = provider(MODEL);
const tools = {
  [TOOL]: tool({
    description: TOOL_DESCRIPTION,
    inputSchema: z.object({ timezone: z.string().optional() }),
    execute: async () => currentTime(),
  }),
};

serve(async (prompt) => {
  const { text } = await generateText({
    model,
    tools,
    prompt,
    instructions: SYSTEM_PROMPT,
    stopWhen: stepCountIs(5),
    maxRetries: 0,
  });
  return text;
});
