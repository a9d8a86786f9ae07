import { ExportResultCode, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Config } from "../config.ts";
import type { Logger } from "../core/logger.ts";
import { Tracing } from "./tracing.ts";

export interface TracingSettings {
  readonly serviceName: string;
  readonly serviceVersion: string;
  readonly sampler: Config["OTEL_TRACES_SAMPLER"];
  /** The share of traces for the samplers that take one, from 0 to 1. */
  readonly samplerArg: number;
  /** See {@link TracingOptions}. */
  readonly captureContent: boolean;
  readonly log: Logger;
}

/** Spans that wait to be sent; more are dropped. */
const MAX_QUEUE = 2_048;
/** With content a span is larger by the length of a conversation, so fewer may wait. */
const WITH_CONTENT = { maxQueue: 512, maxValueChars: 16_384 };

/**
 * OpenTelemetry's SDK, sending batches of spans to a collector as OTLP over HTTP. Where to and how
 * (OTEL_EXPORTER_OTLP_*), and what else the resource is called (OTEL_RESOURCE_ATTRIBUTES), it reads from
 * the environment itself. A collector that is away costs spans, and two lines of the log.
 */
export function startTracing(settings: TracingSettings): Tracing {
  const { serviceName, serviceVersion, captureContent, log } = settings;
  const resource = resourceFromAttributes({
    "service.name": serviceName,
    "service.version": serviceVersion,
    // Tells workers apart.
    "process.pid": process.pid,
  }).merge(detectResources({ detectors: [envDetector] }));
  const maxQueueSize = captureContent ? WITH_CONTENT.maxQueue : MAX_QUEUE;
  const provider = new TracerProvider({
    resource,
    sampler: toSampler(settings),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: reporting(new OTLPTraceExporter(), log), maxQueueSize }),
    ],
    spanLimits: captureContent ? { attributeValueLengthLimit: WITH_CONTENT.maxValueChars } : undefined,
  });
  return new Tracing({
    tracer: provider.getTracer("parley", serviceVersion),
    propagator: new W3CTraceContextPropagator(),
    captureContent,
    shutdown: () => provider.shutdown().catch(() => undefined),
  });
}

function toSampler({ sampler, samplerArg }: TracingSettings): Sampler {
  const [, parentBased, name] = /^(parentbased_)?(.*)$/.exec(sampler) ?? [];
  const root = toRootSampler(name, samplerArg);
  return parentBased ? new ParentBasedSampler({ root }) : root;
}

function toRootSampler(name: string | undefined, share: number): Sampler {
  if (name === "traceidratio") return new TraceIdRatioBasedSampler(share);
  return name === "always_off" ? new AlwaysOffSampler() : new AlwaysOnSampler();
}

/** Tells the log when spans can no longer be delivered, and when they can again. */
function reporting(exporter: SpanExporter, log: Logger): SpanExporter {
  let failing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        if (failed && !failing) {
          log.warn({ err: result.error }, "The collector takes no traces; spans are dropped until it does");
        } else if (!failed && failing) {
          log.info({}, "The collector takes traces again");
        }
        failing = failed;
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
