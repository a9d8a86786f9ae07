import type { JsonWriteOptions } from "@protobuf-ts/runtime";
import type { Connect } from "./client.ts";
import type { Streams } from "./terminal.ts";

/** What every command works with. */
export interface CommandContext {
  readonly connect: Connect;
  readonly streams: Streams;
  /** Print JSON for programs instead of text for people. */
  readonly json: boolean;
}

/** Names as in chat.proto, default values written out: the JSON that the server itself speaks. */
export const CONTRACT_JSON: Partial<JsonWriteOptions> = { useProtoFieldName: true, emitDefaultValues: true };
