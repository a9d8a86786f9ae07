import { Agent, OpenAIChatCompletionsModel, Runner, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";
import { currentTime, MODEL, SYSTEM_PROMPT, TOOL, TOOL_DESCRIPTION } from "../servers/wire.ts";
import { serve } from "./serve.mjs";

setTracingDisabled(true);
const client = new OpenAI({ baseURL: process.env.MODEL_URL, apiKey: "none", maxRetries: 0 });
const agent = new Agent({
  name: "assistant",
  instructions: SYSTEM_PROMPT,
  model: new OpenAIChatCompletionsModel(client, MODEL),
  tools: [
    tool({
      name: TOOL,
      description: TOOL_DESCRIPTION,
      parameters: z.object({ timezone: z.string().nullish() }),
      execute: async () => currentTime(),
    }),
  ],
});
const runner = new Runner({ tracingDisabled: true });

serve(async (message) => {
  const result = await runner.run(agent, message);
  return result.finalOutput;
});
