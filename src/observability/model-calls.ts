import type { CallOrigin, ModelCall } from "../core/ledger/model-call.ts";
import { approximateUsd } from "../core/ledger/money.ts";
import { CappedLabel, OTHER } from "./metrics/capped-label.ts";
import type { Meters } from "./metrics/meters.ts";
import type { Count, Timing } from "./metrics/tally.ts";

export interface ModelCallMeterOptions {
  /** The models that are told apart. */
  readonly models: ReadonlySet<string>;
  /** How many users are told apart; 0 for none. */
  readonly maxUsers: number;
}

/** Platforms that are told apart. */
const MAX_PLATFORMS = 20;

/**
 * Takes an ended call into the meters.
 *
 * @param firstTokenMs from the call's start to the first piece of its answer, in milliseconds.
 */
export type ModelCallMeter = (
  call: ModelCall,
  caller: Pick<CallOrigin, "platform" | "userId">,
  firstTokenMs: number | undefined,
) => void;

export function meterModelCalls(meters: Meters, { models, maxUsers }: ModelCallMeterOptions): ModelCallMeter {
  const platforms = new CappedLabel(MAX_PLATFORMS);
  const users = new CappedLabel(maxUsers);
  const known = new Map<string, CallMeters>();
  return (call, caller, firstTokenMs) => {
    const { provider, operation, status } = call;
    if (status === "unsent") return;
    const model = models.has(call.model) ? call.model : OTHER;
    const platform = platforms.of(caller.platform ?? "");
    const user = maxUsers === 0 ? "" : users.of(caller.userId ?? "");
    const key = [provider, operation, model, platform, user, status].join("\0");
    let its = known.get(key);
    if (!its) {
      its = metersOf(meters, { provider, operation, model, platform, user, status });
      known.set(key, its);
    }
    count(its, call, firstTokenMs);
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

function count(its: CallMeters, call: ModelCall, firstTokenMs: number | undefined): void {
  const { usage, cost, durationMs = 0 } = call;
  add(its.requests, 1);
  its.seconds.observe(durationMs / 1000);
  its.milliseconds?.observe(durationMs);
  if (firstTokenMs !== undefined) its.firstTokenSeconds.observe(firstTokenMs / 1000);
  if (cost === undefined) its.withoutPrice.value++;
  else its.cost.value += approximateUsd(cost);
  if (!usage) return;
  add(its.input, usage.inputTokens);
  add(its.output, usage.outputTokens);
  add(its.tokens, usage.inputTokens + usage.outputTokens);
}

function add(counts: readonly Count[], amount: number): void {
  for (const count of counts) count.value += amount;
}
