import type { HeldCall } from "../../core/ledger/merge-usage.ts";
import {
  type CallOrigin,
  latestOfEach,
  type ModelCall,
  toUsageRow,
  type UsageRow,
} from "../../core/ledger/model-call.ts";
import {
  addSums,
  NO_USAGE,
  SUM_NAMES,
  sumsOf,
  type UsageKey,
  type UsageSums,
  usageKey,
} from "../../core/ledger/usage-sums.ts";
import type { Sql } from "./database.ts";
import type { TurnRequestColumn } from "./rows.ts";

// A running turn keeps its calls in its own row, as a log: one line of JSON each time that something is
// said of a call. So a write of the turn takes them along for next to nothing. They become rows of the
// ledger when the turn ends, in one transaction with that and with the sums of their hours.

/** A line is short, since the turn's row is written whole each time. */
type CallLine = [
  id: string,
  status: ModelCall["status"],
  operation: ModelCall["operation"],
  provider: string,
  model: string,
  startedAt: number,
  durationMs: number | null,
  cost: string | null,
  tokens: [input: number, output: number, cached: number | null, reasoning: number | null] | null,
];

/** The lines that a turn's log gains. */
export function callLines(calls: readonly ModelCall[]): string {
  return calls.map((call) => `${JSON.stringify(toLine(call))}\n`).join("");
}

function readCallLines(lines: string): ModelCall[] {
  return lines.split("\n").flatMap((line) => (line === "" ? [] : fromLine(JSON.parse(line) as CallLine)));
}

function toLine({ usage, cost, ...call }: ModelCall): CallLine {
  return [
    call.id,
    call.status,
    call.operation,
    call.provider,
    call.model,
    call.startedAt,
    call.durationMs ?? null,
    cost === undefined ? null : String(cost),
    usage
      ? [
          usage.inputTokens,
          usage.outputTokens,
          usage.cachedInputTokens ?? null,
          usage.reasoningTokens ?? null,
        ]
      : null,
  ];
}

function fromLine(line: CallLine): ModelCall {
  const [id, status, operation, provider, model, startedAt, durationMs, cost, tokens] = line;
  return {
    id,
    status,
    operation,
    provider,
    model,
    startedAt,
    durationMs: durationMs ?? undefined,
    cost: cost === null ? undefined : BigInt(cost),
    usage: tokens
      ? {
          inputTokens: tokens[0],
          outputTokens: tokens[1],
          cachedInputTokens: tokens[2] ?? undefined,
          reasoningTokens: tokens[3] ?? undefined,
        }
      : undefined,
  };
}

/** A turn as far as its calls are concerned. */
export interface CallsRow {
  rowid: number;
  id: string;
  conversation_id: string;
  owner: string;
  request: string;
  calls: string;
}

export const SELECT_CALLS = `
  SELECT turns.rowid, turns.id, conversations.id AS conversation_id, turns.owner, request, calls
  FROM turns JOIN conversations ON conversations.rowid = turns.conversation`;

/** What a running turn holds of its calls. */
export function heldCalls(turn: CallsRow): HeldCall[] {
  const origin = originOf(turn);
  return latestOfEach(readCallLines(turn.calls)).map((call) => ({
    id: call.id,
    row: toUsageRow(call, origin),
  }));
}

/** Brings the ledger to what a turn's log says of calls, and then these. To be run in a transaction. */
export function enterCalls(sql: Sql, turn: CallsRow, calls: readonly ModelCall[]): void {
  const origin = originOf(turn);
  const changes: [UsageRow, 1 | -1][] = [];
  for (const call of latestOfEach([...readCallLines(turn.calls), ...calls])) {
    const row = toUsageRow(call, origin);
    if (row && insertRow(sql, row)) {
      changes.push([row, 1]);
      continue;
    }
    // Its row is there already: what is known replaces only what was not.
    const old = row?.status === "interrupted" ? undefined : removeInterrupted(sql, call.id);
    if (!old) continue;
    changes.push([old, -1]);
    if (row && insertRow(sql, row)) changes.push([row, 1]);
  }
  addToHours(sql, changes);
}

function originOf(turn: CallsRow): CallOrigin {
  const { platform, userId } = JSON.parse(turn.request) as TurnRequestColumn;
  return {
    principal: turn.owner,
    platform,
    userId,
    conversationId: turn.conversation_id,
    turnId: turn.id,
  };
}

/** Adds rows that are not there yet. To be run in a transaction. */
export function insertRows(sql: Sql, rows: readonly UsageRow[]): void {
  const added = rows.filter((row) => insertRow(sql, row));
  addToHours(
    sql,
    added.map((row) => [row, 1]),
  );
}

export interface UsageTableRow {
  id: string;
  principal: string;
  platform: string | null;
  user_id: string | null;
  conversation_id: string;
  turn_id: string;
  operation: UsageRow["operation"];
  provider: string;
  model: string;
  started_at: number;
  duration_ms: number | null;
  status: UsageRow["status"];
  input_tokens: number | null;
  cached_input_tokens: number | null;
  output_tokens: number | null;
  reasoning_tokens: number | null;
  /** {@link PicoUsd} as text, as {@link USAGE_COLUMNS} gives it. */
  cost: string | null;
}

/** A cost may be more than a JavaScript number holds exactly. */
export const USAGE_COLUMNS = `id, principal, platform, user_id, conversation_id, turn_id, operation, provider, model,
  started_at, duration_ms, status, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
  CAST(cost AS TEXT) AS cost`;

export function toRow(row: UsageTableRow): UsageRow {
  const { input_tokens: inputTokens, output_tokens: outputTokens } = row;
  return {
    id: row.id,
    principal: row.principal,
    platform: row.platform ?? undefined,
    userId: row.user_id ?? undefined,
    conversationId: row.conversation_id,
    turnId: row.turn_id,
    operation: row.operation,
    provider: row.provider,
    model: row.model,
    startedAt: row.started_at,
    durationMs: row.duration_ms ?? undefined,
    status: row.status,
    usage:
      inputTokens === null || outputTokens === null
        ? undefined
        : {
            inputTokens,
            outputTokens,
            cachedInputTokens: row.cached_input_tokens ?? undefined,
            reasoningTokens: row.reasoning_tokens ?? undefined,
          },
    cost: row.cost === null ? undefined : BigInt(row.cost),
  };
}

const INSERT_ROW = `INSERT INTO usage (id, principal, platform, user_id, conversation_id, turn_id, operation, provider, model,
       started_at, duration_ms, status, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`;

/** Whether there was none for that call yet. */
function insertRow(sql: Sql, row: UsageRow): boolean {
  const { changes } = sql(INSERT_ROW).run(
    row.id,
    row.principal,
    row.platform ?? null,
    row.userId ?? null,
    row.conversationId,
    row.turnId,
    row.operation,
    row.provider,
    row.model,
    row.startedAt,
    row.durationMs ?? null,
    row.status,
    row.usage?.inputTokens ?? null,
    row.usage?.cachedInputTokens ?? null,
    row.usage?.outputTokens ?? null,
    row.usage?.reasoningTokens ?? null,
    row.cost ?? null,
  );
  return changes > 0;
}

function removeInterrupted(sql: Sql, id: string): UsageRow | undefined {
  const row = sql(`DELETE FROM usage WHERE id = ? AND status = 'interrupted' RETURNING ${USAGE_COLUMNS}`).get(
    id,
  );
  return row && toRow(row as unknown as UsageTableRow);
}

const ADD_TO_HOUR = `
  INSERT INTO usage_hours (principal, hour, provider, model, operation, platform, user_id,
    ${SUM_NAMES.map(([, column]) => column).join(", ")})
  VALUES (?, ?, ?, ?, ?, ?, ?, ${SUM_NAMES.map(() => "?").join(", ")})
  ON CONFLICT DO UPDATE SET ${SUM_NAMES.map(([, column]) => `${column} = ${column} + excluded.${column}`).join(", ")}`;

/** Adds rows to the sums of their hours, or takes them away. */
function addToHours(sql: Sql, changes: readonly (readonly [UsageRow, 1 | -1])[]): void {
  const hours = new Map<string, { key: UsageKey; sums: UsageSums }>();
  for (const [row, sign] of changes) {
    const key = usageKey(row);
    const name = JSON.stringify(key);
    const sums = hours.get(name)?.sums ?? NO_USAGE;
    hours.set(name, { key, sums: addSums(sums, sumsOf(row), sign) });
  }
  for (const { key, sums } of hours.values()) {
    const { principal, hour, provider, model, operation, platform, userId } = key;
    sql(ADD_TO_HOUR).run(
      ...[principal, hour, provider, model, operation, platform, userId],
      ...SUM_NAMES.map(([name]) => sums[name]),
    );
  }
}
