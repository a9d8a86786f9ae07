import { z } from "zod";
import type { ToolDefinition } from "../model/language-model.ts";
import type { Tool } from "./tool.ts";

/** The tools that the assistant has, by name. */
export class ToolRegistry {
  readonly #tools = new Map<string, Tool>();
  /** What the model is told of them, in the order of registration. */
  readonly definitions: readonly ToolDefinition[];

  /** @throws Error when two tools share a name. */
  constructor(tools: readonly Tool[]) {
    for (const tool of tools) {
      if (this.#tools.has(tool.name)) throw new Error(`Two tools are named ${tool.name}`);
      this.#tools.set(tool.name, tool);
    }
    this.definitions = tools.map(({ name, description, schema }) => {
      const { $schema: _, ...parameters } = z.toJSONSchema(schema, { io: "input" });
      return { name, description, parameters };
    });
  }

  find(name: string): Tool | undefined {
    return this.#tools.get(name);
  }

  get names(): string[] {
    return [...this.#tools.keys()];
  }
}
