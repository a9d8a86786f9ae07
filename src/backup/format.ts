import { BSON } from "mongodb";
import { z } from "zod";
import type { EndedTurn } from "../core/chat/turn.ts";
import { ERROR_CODES } from "../core/errors.ts";
import type { BackupRecord } from "./ports.ts";

// An archive is gzip of lines, each the canonical Extended JSON v2 of one object that says its `type`:
//
//   header         what wrote the archive, and when
//   conversation   followed by its turns, in order; conversations are ordered by id
//   turn           ended: one that was running is there as failed
//   session        after all conversations
//   trailer        the number of each, and the SHA-256 of all lines before it, line feeds included
//
// Records are the core's own objects, with times as dates, so that they mean the same to every store.

export const ARCHIVE_FORMAT = "parley-backup";
/** Counted up when a reader of the version before would misunderstand a record. */
export const ARCHIVE_VERSION = 1;

export type ArchivedRecord = BackupRecord<EndedTurn>;

/** An archive that can't be made, read or restored; the message says why and what to do. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

const time = z.codec(z.date(), z.int(), {
  decode: (date) => date.getTime(),
  encode: (ms) => new Date(ms),
});
const count = z.int().min(0);
const ordinal = z.int().min(1);

// Strict, so that a field which the core gains and this page does not know fails a backup instead of
// being left out of it.
const message = z.strictObject({ messageId: z.string(), content: z.string(), createdAt: time });

const step = z.strictObject({
  provider: z.string(),
  model: z.string(),
  content: z.string(),
  toolCalls: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      arguments: z.string(),
      result: z.string().optional(),
      error: z.string().optional(),
      durationMs: z.number().optional(),
    }),
  ),
  finishReason: z.enum(["stop", "tool_calls", "length", "content_filter"]),
  usage: z
    .strictObject({
      inputTokens: z.number(),
      outputTokens: z.number(),
      cachedInputTokens: z.number(),
      reasoningTokens: z.number(),
    })
    .optional(),
  startedAt: time,
  durationMs: z.number(),
  firstTokenMs: z.number().optional(),
});

const turnBase = z.strictObject({
  id: z.string(),
  conversationId: z.string(),
  seq: ordinal,
  owner: z.string(),
  messageOffset: count,
  idempotencyKey: z.string().optional(),
  requestHash: z.string(),
  userLocale: z.strictObject({ timezone: z.string(), locale: z.string() }),
  platform: z.string().optional(),
  user: message,
  steps: z.array(step),
  attempts: ordinal,
  createdAt: time,
  updatedAt: time,
});

const turn = z.discriminatedUnion("state", [
  turnBase.extend({ state: z.literal("completed"), reply: message }),
  turnBase.extend({
    state: z.literal("failed"),
    error: z.strictObject({
      code: z.enum(ERROR_CODES),
      message: z.string(),
      retryable: z.boolean(),
      meta: z.record(z.string(), z.string()),
    }),
  }),
]);

const conversation = z.strictObject({
  id: z.string(),
  owner: z.string(),
  title: z.string(),
  titleState: z.enum(["pending", "final"]),
  turnCount: count,
  messageCount: count,
  createdAt: time,
  updatedAt: time,
});

const session = z.strictObject({ key: z.string(), conversationId: z.string(), expiresAt: time });

const records = [
  z.strictObject({ type: z.literal("conversation"), conversation }),
  z.strictObject({ type: z.literal("turn"), turn }),
  z.strictObject({ type: z.literal("session"), session }),
] as const;
const recordSchema: z.ZodType<ArchivedRecord> = z.discriminatedUnion("type", records);

const headerSchema = z.strictObject({
  type: z.literal("header"),
  format: z.literal(ARCHIVE_FORMAT),
  version: z.literal(ARCHIVE_VERSION),
  createdAt: time,
  /** The store that was read, and its schema's version: for people. */
  source: z.strictObject({ store: z.string(), schema: count }),
});
export type ArchiveHeader = z.output<typeof headerSchema>;

const countsSchema = z.strictObject({ conversations: count, turns: count, sessions: count });
export type ArchiveCounts = Readonly<z.output<typeof countsSchema>>;

const trailerSchema = countsSchema.extend({ type: z.literal("trailer"), sha256: z.string() });
export type ArchiveTrailer = Readonly<z.output<typeof trailerSchema>>;

const lineSchema: z.ZodType<ArchivedRecord | ArchiveTrailer> = z.discriminatedUnion("type", [
  ...records,
  trailerSchema,
]);

export function encodeHeader(header: ArchiveHeader): string {
  return line(z.encode(headerSchema, header));
}

export function encodeRecord(record: ArchivedRecord): string {
  return line(z.encode(recordSchema, record));
}

export function encodeTrailer(trailer: ArchiveTrailer): string {
  return line(z.encode(trailerSchema, trailer));
}

/** @throws ArchiveError when it is no header of a version that can be read. */
export function decodeHeader(text: string): ArchiveHeader {
  const value = parse(text);
  const named = z.looseObject({ format: z.literal(ARCHIVE_FORMAT), version: z.unknown() }).safeParse(value);
  if (!named.success) throw new ArchiveError("It is not a Parley backup.");
  if (named.data.version !== ARCHIVE_VERSION) {
    throw new ArchiveError(
      `It has format version ${named.data.version}, and this Parley reads version ${ARCHIVE_VERSION}. Restore it with the Parley that made it, or a newer one.`,
    );
  }
  return decode(headerSchema, value);
}

/** @throws ArchiveError when it is neither. */
export function decodeLine(text: string): ArchivedRecord | ArchiveTrailer {
  return decode(lineSchema, parse(text));
}

function line(value: unknown): string {
  return `${BSON.EJSON.stringify(value, { relaxed: false, ignoreUndefined: true })}\n`;
}

function parse(text: string): unknown {
  try {
    return BSON.EJSON.parse(text);
  } catch (error) {
    throw new ArchiveError("It is damaged: a line is not Extended JSON.", { cause: error });
  }
}

function decode<T>(schema: z.ZodType<T>, value: unknown): T {
  const decoded = schema.safeParse(value);
  if (decoded.success) return decoded.data;
  throw new ArchiveError(`It is damaged: ${z.prettifyError(decoded.error)}`);
}
