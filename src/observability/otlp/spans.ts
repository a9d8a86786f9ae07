import {
  type Attributes,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { type IdGenerator, type Sampler, SamplingDecision } from "@opentelemetry/sdk-trace";
import type { Span } from "../tracing.ts";
import { writeAttributes } from "./attributes.ts";
import type { ProtobufWriter } from "./protobuf-writer.ts";

/** The span flags beside the trace's own: whether a parent is remote is known, and so it is. */
const KNOWS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

export interface SpanMakerOptions {
  readonly sampler: Sampler;
  readonly ids: IdGenerator;
  /** Longer texts are cut. */
  readonly maxValueChars?: number;
  /** Takes what has ended. */
  readonly ended: (span: RecordedSpan) => void;
}

/** Starts spans that write themselves down when they have ended. */
export class SpanMaker {
  readonly #options: SpanMakerOptions;

  constructor(options: SpanMakerOptions) {
    this.#options = options;
  }

  /** @param parent none for the first span of a trace. */
  start(name: string, options: SpanOptions, parent?: Span): RecordedSpan {
    const from = parent?.spanContext();
    const { ids } = this.#options;
    const traceId = from?.traceId ?? ids.generateTraceId();
    // Every sampler that can be set decides for a whole trace, so what is said of its first span here holds.
    const traceFlags = from && !from.isRemote ? from.traceFlags : this.#sample(traceId, name, options, from);
    const place = {
      context: {
        traceId,
        spanId: ids.generateSpanId(),
        traceFlags,
        traceState: from?.traceState,
      },
      parent: from,
      clockOffset: parent instanceof RecordedSpan ? parent.clockOffset : Date.now() - performance.now(),
    };
    return new RecordedSpan(name, options, place, this.#options);
  }

  #sample(traceId: string, name: string, options: SpanOptions, from: SpanContext | undefined): TraceFlags {
    const context = from ? trace.setSpanContext(ROOT_CONTEXT, from) : ROOT_CONTEXT;
    const { kind = SpanKind.INTERNAL, attributes = {} } = options;
    const { decision } = this.#options.sampler.shouldSample(context, traceId, name, kind, attributes, []);
    return decision === SamplingDecision.RECORD_AND_SAMPLED ? TraceFlags.SAMPLED : TraceFlags.NONE;
  }
}

/** Where a span is in its trace. */
interface Place {
  readonly context: SpanContext;
  readonly parent: SpanContext | undefined;
  /** See {@link RecordedSpan.clockOffset}. */
  readonly clockOffset: number;
}

/** One that is not sampled is never written: it has ids for the log and for other processes. */
export class RecordedSpan implements Span {
  /**
   * From `performance.now()` to the time since 1970, in milliseconds. All spans of a trace have one, so
   * that a clock that is set in between puts none of them out of order.
   */
  readonly clockOffset: number;
  readonly #context: SpanContext;
  readonly #parent: SpanContext | undefined;
  readonly #name: string;
  readonly #kind: SpanKind;
  readonly #options: SpanMakerOptions;
  readonly #attributes: Attributes;
  readonly #startedAt = performance.now();
  #endedAt: number | undefined;
  #status = SpanStatusCode.UNSET;

  constructor(
    name: string,
    { kind = SpanKind.INTERNAL, attributes }: SpanOptions,
    { context, parent, clockOffset }: Place,
    options: SpanMakerOptions,
  ) {
    this.#name = name;
    this.#kind = kind;
    this.#attributes = { ...attributes };
    this.#context = context;
    this.#parent = parent;
    this.clockOffset = clockOffset;
    this.#options = options;
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  isRecording(): boolean {
    return this.#endedAt === undefined && this.#context.traceFlags === TraceFlags.SAMPLED;
  }

  setAttributes(attributes: Attributes): void {
    Object.assign(this.#attributes, attributes);
  }

  setStatus({ code }: SpanStatus): void {
    this.#status = code;
  }

  end(): void {
    if (!this.isRecording()) return;
    this.#endedAt = performance.now();
    this.#options.ended(this);
  }

  /** As opentelemetry-proto has it (trace/v1/trace.proto: Span). */
  write(writer: ProtobufWriter, field: number): void {
    const { traceId, spanId, traceFlags, traceState } = this.#context;
    const span = writer.begin(field);
    writer.hex(1, traceId);
    writer.hex(2, spanId);
    if (traceState) writer.string(3, traceState.serialize());
    if (this.#parent) writer.hex(4, this.#parent.spanId);
    writer.string(5, this.#name);
    // The kinds of the API count from 0, those of the protocol from 1.
    writer.varint(6, this.#kind + 1);
    writer.nanoseconds(7, this.clockOffset + this.#startedAt);
    writer.nanoseconds(8, this.clockOffset + (this.#endedAt ?? this.#startedAt));
    writeAttributes(writer, 9, this.#attributes, this.#options.maxValueChars);
    if (this.#status !== SpanStatusCode.UNSET) {
      const status = writer.begin(15);
      writer.varint(3, this.#status);
      writer.end(status);
    }
    writer.fixed32(16, traceFlags | KNOWS_REMOTE | (this.#parent?.isRemote ? IS_REMOTE : 0));
    writer.end(span);
  }
}
