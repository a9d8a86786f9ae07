// The load generator: a process of its own that the harness tells, by messages, what to send where. Callers
// are a closed loop: each has a connection of its own and begins its next operation when the last was answered.
import { Client } from "undici";
import { percentile } from "../report/statistics.ts";
import { type Acknowledged, createCaller, type Operation, type Request, type Traffic } from "./traffic.ts";

export interface Order {
  /** Of the server, such as http://127.0.0.1:8080 */
  readonly url: string;
  readonly traffic: Traffic;
  readonly callers: number;
  /** The run ends after this many milliseconds, when what is under way has been answered, ... */
  readonly ms?: number;
  /** ... or after this many operations of each caller, whichever comes first. */
  readonly operations?: number;
}

/** What callers saw. Times are in milliseconds. */
export interface Seen {
  readonly operations: number;
  readonly errors: number;
  readonly firstError?: string;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  /** Of the operations but each caller's first, unless there are no others. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Turns that were acknowledged, by conversation. */
  readonly acknowledged: readonly (readonly [conversationId: string, turns: number])[];
}

process.on("message", (order: Order) => {
  carryOut(order).then(
    (seen) => process.send?.({ seen }),
    (error: Error) => process.send?.({ failed: String(error.stack) }),
  );
});
// The harness may end in any way; this then has nothing left to do.
process.on("disconnect", () => process.exit());

async function carryOut({ url, traffic, callers, ms, operations }: Order): Promise<Seen> {
  /** All callers begin at once, and open their connections with it: a burst, and not their number. */
  let firsts: number[] = [];
  let others: number[] = [];
  const acknowledged: Acknowledged = new Map();
  let errors = 0;
  let firstError: string | undefined;
  const begun = performance.now();
  const deadline = ms === undefined ? Number.POSITIVE_INFINITY : begun + ms;

  const work = async (client: Client, operation: Operation) => {
    const send = (request: Request) => exchange(client, request);
    const own: number[] = [];
    for (let left = operations ?? Number.POSITIVE_INFINITY; left > 0; left--) {
      const start = performance.now();
      if (start >= deadline) break;
      try {
        await operation(send);
        own.push(performance.now() - start);
      } catch (error) {
        errors++;
        firstError ??= String(error);
      }
    }
    firsts = firsts.concat(own.slice(0, 1));
    others = others.concat(own.slice(1));
  };
  const clients = Array.from(
    { length: callers },
    () => new Client(url, { bodyTimeout: 60_000, headersTimeout: 60_000 }),
  );
  await Promise.all(clients.map((client, index) => work(client, createCaller(traffic, acknowledged, index))));
  const elapsedMs = performance.now() - begun;
  await Promise.all(clients.map((client) => client.close()));

  const sorted = Float64Array.from(others.length > 0 ? others : firsts).sort();
  return {
    operations: firsts.length + others.length,
    errors,
    firstError,
    elapsedMs,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
    max: sorted.at(-1) ?? Number.NaN,
    acknowledged: [...acknowledged],
  };
}

/** By undici's own handler rather than `request`, whose body is a stream: it has to cost less than a server. */
function exchange(client: Client, { method, path, headers, body }: Request): Promise<string> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let text = "";
    client.dispatch(
      { method, path, headers, body },
      {
        onRequestStart() {},
        onResponseStart(_, statusCode) {
          status = statusCode;
        },
        onResponseData(_, chunk) {
          text += chunk.toString("latin1");
        },
        onResponseEnd() {
          if (status === 200) resolve(text);
          else reject(new Error(`${method} ${path}: ${status} ${text.slice(0, 500)}`));
        },
        onResponseError(_, error) {
          reject(error);
        },
      },
    );
  });
}
