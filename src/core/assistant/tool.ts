import type { z } from "zod";
import type { UserLocale } from "../context.ts";

/** What a tool may know of the call it serves. */
export interface ToolContext extends UserLocale {
  /** Aborts when the call's deadline passes or the turn ends. */
  readonly signal: AbortSignal;
  /** When the call began, in milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Something that the assistant can do: the port that every tool implements. */
export interface Tool<Arguments = unknown> {
  /** Unique in the registry; `^[a-z][a-z0-9_]*$`. */
  readonly name: string;
  /** Tells the model when and how to use it. */
  readonly description: string;
  /** Checks the model's arguments, and gives the JSON Schema that the model sees. */
  readonly schema: z.ZodType<Arguments>;
  /**
   * True when calling it again changes nothing in the world: after a crash such a call is made
   * again, any other is reported to the model as "outcome unknown".
   */
  readonly readOnly: boolean;
  /** The deadline of one call, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * Returns a JSON value for the model. Throws a {@link ToolError} for what the model should know
   * of; of any other error the model learns only that the tool failed.
   */
  execute(args: Arguments, context: ToolContext): Promise<unknown>;
}

/** A failure that is told to the model in these words: say what to mend or what to tell the user. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

/** Gives a tool's `execute` its argument type from its schema; registries hold the erased type. */
export function defineTool<Schema extends z.ZodType>(
  tool: Omit<Tool<z.output<Schema>>, "schema"> & { readonly schema: Schema },
): Tool {
  return tool as unknown as Tool;
}
