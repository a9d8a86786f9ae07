import { Gauge, type Registry } from "prom-client";
import { Tally, Timings } from "./tally.ts";

export type Meters = ReturnType<typeof createMeters>;

/** Upper bounds of buckets, in seconds. */
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const STORE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** What the server measures of itself: every metric with its name and labels, all of whose values are few. */
export function createMeters(registry: Registry) {
  const tally = <const Names extends readonly string[]>(name: string, labels: Names, help: string) =>
    new Tally({ name, help, labels, registry });
  const timings = <const Names extends readonly string[]>(
    name: string,
    labels: Names,
    bounds: readonly number[],
    help: string,
  ) => new Timings({ name, help, labels, registry }, bounds);
  /** A number that goes up and down. */
  const level = (name: string, help: string) => {
    const count = { value: 0 };
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(count.value);
      },
    });
    return count;
  };
  const caller = ["operation", "model", "platform", "user_id"] as const;
  const providerCaller = ["provider", ...caller] as const;

  return {
    http: {
      requests: tally(
        "http_requests_total",
        ["method", "path", "status"],
        "Requests that were answered, by the template of their path",
      ),
      seconds: timings(
        "http_request_duration_seconds",
        ["method", "path"],
        REQUEST_SECONDS,
        "From a request's headers to its answer",
      ),
      inFlight: level("http_requests_in_flight", "Requests that have come in and are not answered"),
      shed: tally("requests_shed_total", ["reason"], "Requests and connections that were turned away"),
    },
    errors: {
      unhandled: tally("unhandled_errors_total", [], "Errors that nobody expected; the log has each of them"),
    },
    /** Of every provider. A call that is tried again is a call each time. */
    llm: {
      requests: tally("llm_requests_total", [...providerCaller, "status"], "Calls of language models"),
      input: tally("llm_tokens_input_total", providerCaller, "Tokens that were sent to language models"),
      output: tally("llm_tokens_output_total", providerCaller, "Tokens that language models wrote"),
      tokens: tally("llm_tokens_total", providerCaller, "Tokens of language models, input and output"),
      seconds: timings(
        "llm_request_duration_seconds",
        ["provider", "operation", "model", "platform"],
        REQUEST_SECONDS,
        "From a call's start to the end of its answer",
      ),
      firstTokenSeconds: timings(
        "llm_first_token_seconds",
        ["provider", "model"],
        REQUEST_SECONDS,
        "From a call's start to the first piece of its answer",
      ),
      cost: tally(
        "llm_cost_usd_total",
        ["provider", "model"],
        "What calls have cost, as far as that is known",
      ),
      withoutPrice: tally(
        "llm_calls_without_price_total",
        ["provider", "model"],
        "Calls of which it is not known what they cost",
      ),
    },
    /** Of the provider openai once more, by the names that dashboards know. */
    openai: {
      requests: tally("openai_requests_total", [...caller, "status"], "Calls of OpenAI's API"),
      input: tally("openai_tokens_input_total", caller, "Tokens that were sent to OpenAI's API"),
      output: tally("openai_tokens_output_total", caller, "Tokens that models of OpenAI's API wrote"),
      tokens: tally("openai_tokens_total", caller, "Tokens of OpenAI's API, input and output"),
      milliseconds: timings(
        "openai_request_duration_ms",
        caller,
        REQUEST_SECONDS.map((seconds) => seconds * 1000),
        "From a call's start to the end of its answer, in milliseconds",
      ),
    },
    upstreams: {
      transitions: tally(
        "circuit_breaker_transitions_total",
        ["name", "to"],
        "How often a breaker has changed its state, by the new one",
      ),
      retries: tally("upstream_retries_total", ["name"], "Calls that were made again"),
      budgetSpent: tally(
        "upstream_retry_budget_exhausted_total",
        ["name"],
        "Calls that were not made again, since retries had become too many",
      ),
      rejected: tally(
        "upstream_rejected_total",
        ["name", "reason"],
        "Calls that were not made: the breaker was open, or too many were waiting",
      ),
    },
    tools: {
      calls: tally("tool_calls_total", ["tool", "outcome"], "Tool calls that the model has asked for"),
      seconds: timings(
        "tool_call_duration_seconds",
        ["tool"],
        REQUEST_SECONDS,
        "From a tool call's start to its end",
      ),
    },
    caches: {
      requests: tally(
        "cache_requests_total",
        ["cache", "result"],
        "Look-ups of tools' results: a stale one was used since its source was down",
      ),
    },
    turns: {
      ended: tally("turns_total", ["outcome"], "Runs of turns, by how they ended"),
      seconds: timings(
        "turn_duration_seconds",
        ["outcome"],
        REQUEST_SECONDS,
        "From the beginning of a turn's run to its end",
      ),
      running: level("turns_running", "Turns that are being run"),
      waiting: level("turns_waiting", "Messages that wait for the turns before them"),
      takenOver: tally(
        "turns_taken_over_total",
        [],
        "Turns that were left by another process, and taken over",
      ),
      replayed: tally(
        "turns_replayed_total",
        [],
        "Requests that were answered with the turn of an earlier one with their key",
      ),
    },
    stores: {
      seconds: timings(
        "store_operation_duration_seconds",
        ["store", "operation"],
        STORE_SECONDS,
        "From an operation's start to its end",
      ),
      errors: tally(
        "store_operation_errors_total",
        ["store", "operation"],
        "Operations that failed: the store was away, or did something unexpected",
      ),
    },
  };
}
