import type { Logger } from "../core/logger.ts";
import { guardedAgent, type Lookup } from "./guarded-agent.ts";
import { httpClientOver } from "./guarded-http-client.ts";
import type { HttpClient, StreamingClient } from "./http-client.ts";
import type { AllowRule } from "./outbound-rules.ts";
import { streamingClientOver } from "./streaming-client.ts";
import { addTraceHeaders } from "./trace-headers.ts";

export interface OutboundOptions {
  /** What may be reached although it is not public. */
  readonly rules: readonly AllowRule[];
  readonly log: Logger;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup;
  /** Of the trace that is at work; see {@link addTraceHeaders}. */
  readonly traceHeaders?: () => Readonly<Record<string, string>>;
}

/** All that this server sends to others: the only way out of it. */
export interface Outbound {
  /** For tools. */
  readonly http: HttpClient;
  /** For the providers of models, and for reports of faults. */
  readonly streaming: StreamingClient;
  /** Ends what is still under way, and closes all connections. */
  close(): Promise<void>;
}

const TOOL_PATIENCE = { headersMs: 10_000, bodyMs: 10_000 };
/** A last resort, above the most that MODEL_TIMEOUT_SECONDS can be: a model may think for long before its first word. */
const MODEL_PATIENCE = { headersMs: 3_660_000, bodyMs: 3_660_000 };
/** Of one answer of a model: some hundred times the longest that there are. */
const MODEL_MAX_BYTES = 64 * 1_048_576;

export function openOutbound({ rules, log, lookup, traceHeaders }: OutboundOptions): Outbound {
  const agent = guardedAgent({
    rules,
    lookup,
    onRefusal: ({ message }) => log.warn({}, `A connection was refused: ${message}`),
  });
  const dispatcher = traceHeaders ? agent.compose(addTraceHeaders(rules, traceHeaders)) : agent;
  return {
    http: httpClientOver(dispatcher, TOOL_PATIENCE),
    streaming: streamingClientOver(dispatcher, { patience: MODEL_PATIENCE, maxBytes: MODEL_MAX_BYTES }),
    close: () => agent.destroy(),
  };
}
