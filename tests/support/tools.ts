import { z } from "zod";
import { defineTool, type Tool, type ToolContext } from "../../src/core/assistant/tool.ts";

const schema = z.strictObject({ text: z.string().optional(), count: z.int().min(1).max(9).optional() });

export type EchoArguments = z.output<typeof schema>;

/** A tool that answers with its arguments, or does what it is told to. */
export function echoTool(
  changes: Partial<Omit<Tool, "execute" | "schema">> = {},
  execute: (args: EchoArguments, context: ToolContext) => Promise<unknown> = async (args) => args,
): Tool {
  return defineTool({
    name: "echo",
    description: "Repeats what it is told.",
    readOnly: true,
    timeoutMs: 10_000,
    ...changes,
    schema,
    execute,
  });
}
