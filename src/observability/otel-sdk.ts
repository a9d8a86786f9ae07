import { ExportResultCode, W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  convertLegacyHttpOptions,
  createOtlpHttpExportDelegate,
} from "@opentelemetry/otlp-exporter-base/node-http";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import type { Config } from "../config.ts";
import type { Logger } from "../core/logger.ts";
import { type Batch, Batches } from "./otlp/batches.ts";
import { SpanMaker } from "./otlp/spans.ts";
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

/** What an attribute has of a text that was said. */
const MAX_CONTENT_CHARS = 16_384;

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
  const sender = openSender(log);
  const scope = { name: "parley", version: serviceVersion };
  const batches = new Batches(resource.attributes, scope, sender.send);
  const spans = new SpanMaker({
    sampler: toSampler(settings),
    ids: new RandomIdGenerator(),
    maxValueChars: captureContent ? MAX_CONTENT_CHARS : undefined,
    ended: (span) => batches.add(span),
  });
  return new Tracing({
    startSpan: (name, options, parent) => spans.start(name, options, parent),
    propagator: new W3CTraceContextPropagator(),
    captureContent,
    async shutdown() {
      batches.flush();
      await sender.shutdown().catch(() => undefined);
    },
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
function openSender(log: Logger) {
  const exporter = createOtlpHttpExportDelegate<Batch, undefined>(
    convertLegacyHttpOptions({}, "TRACES", "v1/traces", { "Content-Type": "application/x-protobuf" }),
    { serializeRequest: ({ bytes }) => bytes, deserializeResponse: () => undefined },
    "otlp_http_span_exporter",
    { name: "span", countItems: ({ spans }) => spans },
    undefined,
  );
  let failing = false;
  return {
    send: (batch: Batch) =>
      new Promise<void>((resolve) => {
        exporter.export(batch, (result) => {
          const failed = result.code !== ExportResultCode.SUCCESS;
          if (failed && !failing) {
            log.warn({ err: result.error }, "The collector takes no traces; spans are dropped until it does");
          } else if (!failed && failing) {
            log.info({}, "The collector takes traces again");
          }
          failing = failed;
          resolve();
        });
      }),
    shutdown: () => exporter.shutdown(),
  };
}
