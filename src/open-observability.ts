import { Gauge, Registry } from "prom-client";
import type { Config } from "./config.ts";
import type { PriceList } from "./core/ledger/price-list.ts";
import type { Logger } from "./core/logger.ts";
import type { LanguageModel } from "./core/model/language-model.ts";
import { TOOL_CALL_OUTCOMES, type TurnObserver } from "./core/turn-observer.ts";
import type { Metrics } from "./observability/metrics/merge.ts";
import { createMeters, type Meters } from "./observability/metrics/meters.ts";
import { processMetrics } from "./observability/metrics/process-metrics.ts";
import { meterModelCalls } from "./observability/model-calls.ts";
import { watchRequests } from "./observability/requests.ts";
import { type StoreWatch, watchStores } from "./observability/stores.ts";
import { tracedModel } from "./observability/traced-model.ts";
import type { Tracing } from "./observability/tracing.ts";
import { watchTurns } from "./observability/turns.ts";
import { type Guarded, meterBreakers } from "./observability/upstreams.ts";
import { REFUSAL_REASONS, type RefusalReason } from "./transport/incoming/refusal.ts";
import type { RequestObserver } from "./transport/request-observer.ts";
import { version } from "./version.ts";
import type { Primary } from "./workers/primary.ts";

/** What sees the server run. */
export interface Observability {
  readonly meters: Meters;
  readonly tracing?: Tracing;
  readonly requests: RequestObserver;
  readonly turns: TurnObserver;
  readonly stores: StoreWatch;
  model(inner: LanguageModel): LanguageModel;
  refused(reason: RefusalReason): void;
  /** What there is to be seen, so that it reads 0 before it is first used. */
  expect(parts: { readonly tools: readonly string[]; readonly upstreams: readonly Guarded[] }): void;
  /** An error came to where nothing was left to catch it. */
  fault(): void;
  /** What GET /metrics answers: Prometheus' text format. Of several workers each answers for all. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** What this process has measured. */
  ownMetrics(): Promise<Metrics>;
}

export async function openObservability(
  config: Config,
  prices: PriceList,
  log: Logger,
  primary?: Primary,
): Promise<Observability> {
  // From now on, not from the first look at it on.
  processMetrics();
  const registry = new Registry();
  const meters = createMeters(registry);
  new Gauge({
    name: "parley_build_info",
    help: "1, with the version and the store in use",
    labelNames: ["version", "store"],
    registers: [registry],
    aggregator: "first",
  }).set({ version, store: config.MONGO_URI === undefined ? "sqlite" : "mongodb" }, 1);
  for (const reason of REFUSAL_REASONS) meters.http.shed.of(reason);
  const tracing = await openTracing(config, log);
  const telemetry = { meters, tracing };
  const meterCall = meterModelCalls(meters, {
    models: new Set([...prices.models, config.OPENAI_MODEL]),
    maxUsers: config.METRICS_USER_ID ? config.METRICS_MAX_USERS : 0,
  });
  return {
    meters,
    tracing,
    requests: watchRequests(telemetry),
    turns: watchTurns(telemetry, meterCall),
    stores: watchStores(telemetry),
    model: (inner) => (tracing ? tracedModel(inner, tracing) : inner),
    refused(reason) {
      meters.http.shed.of(reason).value++;
    },
    expect({ tools, upstreams }) {
      meterBreakers(registry, meters, upstreams);
      for (const tool of tools) {
        meters.tools.seconds.of(tool);
        for (const outcome of TOOL_CALL_OUTCOMES) meters.tools.calls.of(tool, outcome);
      }
    },
    fault() {
      meters.errors.unhandled.of().value++;
    },
    async metrics() {
      if (primary) return { contentType: registry.contentType, body: await primary.metricsPage() };
      const pages = await Promise.all([registry.metrics(), processMetrics().metrics()]);
      return { contentType: registry.contentType, body: pages.join("\n") };
    },
    async ownMetrics() {
      const parts = await Promise.all([registry.getMetricsAsJSON(), processMetrics().getMetricsAsJSON()]);
      return parts.flat();
    },
  };
}

async function openTracing(config: Config, log: Logger): Promise<Tracing | undefined> {
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return undefined;
  // Loaded here: without a collector nobody waits for the SDK.
  const { startTracing } = await import("./observability/otel-sdk.ts");
  return startTracing({
    serviceName: config.OTEL_SERVICE_NAME,
    serviceVersion: version,
    sampler: config.OTEL_TRACES_SAMPLER,
    samplerArg: config.OTEL_TRACES_SAMPLER_ARG,
    captureContent: config.OTEL_CAPTURE_CONTENT,
    log,
  });
}
