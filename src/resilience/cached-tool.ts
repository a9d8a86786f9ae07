import type { Tool, ToolContext } from "../core/assistant/tool.ts";
import { ToolError } from "../core/assistant/tool.ts";
import type { Cache, CacheEntry } from "../core/cache.ts";
import type { Clock } from "../core/clock.ts";
import { deadline, orAborted } from "../core/deadline.ts";
import { digest } from "../core/ids.ts";

/** How look-ups ended, by the tool's name; calls that share a look-up count as one. */
export interface CacheCounters {
  /** Answered from the cache. */
  hit(tool: string): void;
  /** The tool was run, and answered or failed. */
  miss(tool: string): void;
  /** The tool was run and failed, and a value past its time was used instead. */
  stale(tool: string): void;
}

export interface CachedToolOptions {
  readonly cache: Cache;
  readonly clock: Clock;
  /** How long a result is used without running the tool, in milliseconds. */
  readonly freshMs: number;
  /** How long after that it is used when the tool fails, in milliseconds. */
  readonly staleMs: number;
  readonly counters: CacheCounters;
}

/** A run of the tool that calls share. */
interface Flight {
  readonly result: Promise<unknown>;
  /** Aborts when no call waits for it any more. */
  readonly abandoned: AbortController;
  waiting: number;
}

/** Of a call's time, what the tool may take: when it hangs, a stale value must still come in time. */
const TOOL_SHARE = 0.9;

/**
 * The tool with a memory: calls with equal arguments, on the user's same day, in the same time zone and
 * locale, share a result while it is fresh, and share the run that makes it; a call that is aborted
 * leaves the others theirs. When the tool fails, a result that is no longer fresh is used, and the model
 * sees that it is one: `stale: true` and `as_of`, the time it was made (ISO 8601, UTC). Failures are not
 * remembered.
 *
 * @throws Error when the tool is not read-only.
 */
export function cached(tool: Tool, options: CachedToolOptions): Tool {
  if (!tool.readOnly) throw new Error(`${tool.name} has side effects: its results can't be cached`);
  const flights = new Map<string, Flight>();

  function take(key: string, args: unknown, context: ToolContext): Flight {
    const known = flights.get(key);
    if (known) return known;
    const abandoned = new AbortController();
    const result = lookUp(tool, options, key, args, { ...context, signal: abandoned.signal });
    const flight: Flight = { result, abandoned, waiting: 0 };
    const land = () => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    result.then(land, land);
    abandoned.signal.addEventListener("abort", land);
    flights.set(key, flight);
    return flight;
  }

  return {
    ...tool,
    async execute(args, context) {
      context.signal.throwIfAborted();
      const flight = take(cacheKey(tool, args, context), args, context);
      flight.waiting += 1;
      try {
        return await orAborted(flight.result, context.signal);
      } finally {
        flight.waiting -= 1;
        if (flight.waiting === 0) flight.abandoned.abort(context.signal.reason);
      }
    },
  };
}

async function lookUp(
  tool: Tool,
  { cache, clock, freshMs, staleMs, counters }: CachedToolOptions,
  key: string,
  args: unknown,
  context: ToolContext,
): Promise<unknown> {
  const entry = await cache.get(key);
  const ageMs = entry ? clock.now() - entry.storedAt : 0;
  if (entry && ageMs < freshMs) {
    counters.hit(tool.name);
    return JSON.parse(entry.json);
  }
  try {
    const result = await runInTime(tool, clock, args, context);
    counters.miss(tool.name);
    const made = { json: JSON.stringify(result ?? null), storedAt: clock.now() };
    // Not awaited: the answer does not wait for its copy.
    void cache.set(key, made, freshMs + staleMs);
    return result;
  } catch (error) {
    const usable = entry && ageMs < freshMs + staleMs && !context.signal.aborted;
    if (!usable) {
      counters.miss(tool.name);
      throw error;
    }
    counters.stale(tool.name);
    return asStale(entry);
  }
}

async function runInTime(tool: Tool, clock: Clock, args: unknown, context: ToolContext): Promise<unknown> {
  const ms = tool.timeoutMs * TOOL_SHARE;
  const tooLate = () => new ToolError(`${tool.name} did not answer within ${ms / 1000} seconds.`);
  const timeout = deadline(clock, ms, tooLate, context.signal);
  try {
    return await orAborted(tool.execute(args, { ...context, signal: timeout.signal }), timeout.signal);
  } finally {
    timeout.clear();
  }
}

function asStale({ json, storedAt }: CacheEntry): unknown {
  const value: unknown = JSON.parse(json);
  const fields = typeof value === "object" && !Array.isArray(value) ? value : { result: value };
  return { ...fields, stale: true, as_of: new Date(storedAt).toISOString() };
}

function cacheKey(tool: Tool, args: unknown, { timezone, locale, now }: ToolContext): string {
  // What a tool answers may hang on which day it is where the user is ("today", "next").
  const localDate = new Date(now).toLocaleDateString("en", { timeZone: timezone });
  return digest("tool", tool.name, canonicalJson(args), timezone, locale, localDate);
}

/** The same text for equal values, in whatever order their fields are. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
