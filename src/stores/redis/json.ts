import type { z } from "zod";

/** What Redis gave, read by a schema; undefined for nothing, and for what is not ours. */
export function parseJson<T>(text: string | null | undefined, schema: z.ZodType<T>): T | undefined {
  if (typeof text !== "string") return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
