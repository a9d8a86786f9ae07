import type { ModelRequest } from "../core/model/language-model.ts";
import type { TokenUsage } from "../core/model/usage.ts";
import { CappedLabel, OTHER } from "./metrics/capped-label.ts";
import type { Meters } from "./metrics/meters.ts";
import type { Count, Timing } from "./metrics/tally.ts";

/** A call of a model that has ended. */
export interface ModelCall {
  readonly provider: string;
  readonly model: string;
  readonly operation: ModelRequest["operation"];
  /** As in SessionMetadata, where it was given. */
  readonly platform?: string;
  readonly userId?: string;
  /** `aborted`: broken off from this side. */
  readonly status: "ok" | "failed" | "aborted";
  /** Absent when the provider did not tell it. */
  readonly usage?: TokenUsage;
  /** In US dollars; absent when the price is not known. */
  readonly cost?: number;
  readonly durationMs: number;
  /** From the call's start to the first piece of the answer. */
  readonly firstTokenMs?: number;
}

export interface ModelCallMeterOptions {
  /** The models that are told apart. */
  readonly models: ReadonlySet<string>;
  /** How many users are told apart; 0 for none. */
  readonly maxUsers: number;
}

/** Platforms that are told apart. */
const MAX_PLATFORMS = 20;

/** Takes ended calls into the meters. */
export type ModelCallObserver = (call: ModelCall) => void;

export function meterModelCalls(
  meters: Meters,
  { models, maxUsers }: ModelCallMeterOptions,
): ModelCallObserver {
  const platforms = new CappedLabel(MAX_PLATFORMS);
  const users = new CappedLabel(maxUsers);
  const known = new Map<string, CallMeters>();
  return (call) => {
    const { provider, operation, status } = call;
    const model = models.has(call.model) ? call.model : OTHER;
    const platform = platforms.of(call.platform ?? "");
    const user = maxUsers === 0 ? "" : users.of(call.userId ?? "");
    const key = [provider, operation, model, platform, user, status].join("\0");
    let its = known.get(key);
    if (!its) {
      its = metersOf(meters, { provider, operation, model, platform, user, status });
      known.set(key, its);
    }
    count(its, call);
  };
}

/** What a call with one set of labels is counted in. */
interface CallMeters {
  readonly requests: readonly Count[];
  readonly input: readonly Count[];
  readonly output: readonly Count[];
  readonly tokens: readonly Count[];
  readonly seconds: Timing;
  readonly milliseconds?: Timing;
  readonly firstTokenSeconds: Timing;
  readonly cost: Count;
  readonly withoutPrice: Count;
}

type Labels = Record<"provider" | "operation" | "model" | "platform" | "user" | "status", string>;

function metersOf({ llm, openai }: Meters, labels: Labels): CallMeters {
  const { provider, operation, model, platform, user, status } = labels;
  const all = [provider, operation, model, platform, user] as const;
  const own = [operation, model, platform, user] as const;
  const isOpenAI = provider === "openai";
  return {
    requests: [llm.requests.of(...all, status), ...(isOpenAI ? [openai.requests.of(...own, status)] : [])],
    input: [llm.input.of(...all), ...(isOpenAI ? [openai.input.of(...own)] : [])],
    output: [llm.output.of(...all), ...(isOpenAI ? [openai.output.of(...own)] : [])],
    tokens: [llm.tokens.of(...all), ...(isOpenAI ? [openai.tokens.of(...own)] : [])],
    seconds: llm.seconds.of(provider, operation, model, platform),
    milliseconds: isOpenAI ? openai.milliseconds.of(...own) : undefined,
    firstTokenSeconds: llm.firstTokenSeconds.of(provider, model),
    cost: llm.cost.of(provider, model),
    withoutPrice: llm.withoutPrice.of(provider, model),
  };
}

function count(its: CallMeters, { usage, cost, durationMs, firstTokenMs }: ModelCall): void {
  add(its.requests, 1);
  its.seconds.observe(durationMs / 1000);
  its.milliseconds?.observe(durationMs);
  if (firstTokenMs !== undefined) its.firstTokenSeconds.observe(firstTokenMs / 1000);
  if (cost === undefined) its.withoutPrice.value++;
  else its.cost.value += cost;
  if (!usage) return;
  add(its.input, usage.inputTokens);
  add(its.output, usage.outputTokens);
  add(its.tokens, usage.inputTokens + usage.outputTokens);
}

function add(counts: readonly Count[], amount: number): void {
  for (const count of counts) count.value += amount;
}
