import type { Id } from "../../core/ids.ts";
import type { UsageRow } from "../../core/ledger/model-call.ts";

/** What a turn holds of a call that is on its way into the ledger: without a row when it was not sent. */
export interface HeldCall {
  readonly id: Id;
  readonly row?: UsageRow;
}

/**
 * The ledger as it will be with the calls that turns still hold, in the order of ids, in which it is: what
 * is known of a call replaces only a row that says it was interrupted.
 */
export async function* mergeUsage(
  held: Iterable<HeldCall>,
  ledger: AsyncIterable<UsageRow> | Iterable<UsageRow>,
): AsyncGenerator<UsageRow> {
  const calls = new Map([...held].map((call) => [call.id, call]));
  const waiting = [...calls.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  for await (const row of ledger) {
    for (let next = waiting.at(-1); next && next.id < row.id; next = waiting.at(-1)) {
      if (next.row) yield next.row;
      waiting.pop();
    }
    const call = row.status === "interrupted" ? calls.get(row.id) : undefined;
    if (!call) yield row;
    else if (call.row) yield call.row;
    if (waiting.at(-1)?.id === row.id) waiting.pop();
  }
  for (const { row } of waiting.reverse()) if (row) yield row;
}
