import { BSON } from "mongodb";
import { z } from "zod";
import type { EndedTurn } from "../core/chat/turn.ts";
import { ERROR_CODES } from "../core/errors.ts";
import { formatUsd, parseUsd } from "../core/ledger/money.ts";
import { MODEL_OPERATIONS } from "../core/model/language-model.ts";
import type { BackupRecord } from "./ports.ts";

// An archive is gzip of lines, each the canonical Extended JSON v2 of one object that says its `type`:
//
//   header         what wrote the archive, and when
//   conversation   followed by its turns, in order; conversations are ordered by id
//   turn           ended: one that was running is there as failed
//   session        after all conversations
//   usage          a row of the ledger, after all sessions; not in version 1
//   trailer        the number of each, and the SHA-256 of all lines before it, line feeds included
//
// Records are the core's own objects, with times as dates, so that they mean the same to every store.

export const ARCHIVE_FORMAT = "parley-backup";
/** Counted up when a reader of the version before would misunderstand a record. */
export const ARCHIVE_VERSION = 2;
/** Those that can be read: every record of the first means the same in the second. */
const READ_VERSIONS = [1, 2] as const;

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

const usage = z.strictObject({
  inputTokens: z.number(),
  outputTokens: z.number(),
  cachedInputTokens: z.number().optional(),
  reasoningTokens: z.number().optional(),
});

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
  usage: usage.optional(),
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
  userId: z.string().optional(),
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

const usageRow = z.strictObject({
  id: z.string(),
  principal: z.string(),
  platform: z.string().optional(),
  userId: z.string().optional(),
  conversationId: z.string(),
  turnId: z.string(),
  operation: z.enum(MODEL_OPERATIONS),
  provider: z.string(),
  model: z.string(),
  startedAt: time,
  durationMs: z.number().optional(),
  status: z.enum(["ok", "failed", "aborted", "interrupted"]),
  usage: usage.optional(),
  cost: z.codec(z.string(), z.bigint(), { decode: parseUsd, encode: formatUsd }).optional(),
});

const records = [
  z.strictObject({ type: z.literal("conversation"), conversation }),
  z.strictObject({ type: z.literal("turn"), turn }),
  z.strictObject({ type: z.literal("session"), session }),
  z.strictObject({ type: z.literal("usage"), row: usageRow }),
] as const;
const recordSchema: z.ZodType<ArchivedRecord> = z.discriminatedUnion("type", records);

const headerSchema = z.strictObject({
  type: z.literal("header"),
  format: z.literal(ARCHIVE_FORMAT),
  version: z.literal(READ_VERSIONS),
  createdAt: time,
  /** The store that was read, and its schema's version: for people. */
  source: z.strictObject({ store: z.string(), schema: count }),
});
export type ArchiveHeader = z.output<typeof headerSchema>;

const countsSchema = z.strictObject({
  conversations: count,
  turns: count,
  sessions: count,
  usage: count.default(0),
});
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
  if (!READ_VERSIONS.some((version) => version === named.data.version)) {
    throw new ArchiveError(
      `It has format version ${named.data.version}, and this Parley reads versions up to ${ARCHIVE_VERSION}. Restore it with the Parley that made it, or a newer one.`,
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
