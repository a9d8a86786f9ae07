import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingHttpHeaders } from "node:http";
import {
  type Attributes,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type SpanContext,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  type TextMapPropagator,
  trace,
} from "@opentelemetry/api";
import { AppError } from "../core/errors.ts";

/** What is used here of the spans of OpenTelemetry's API: theirs fit. */
export interface Span {
  spanContext(): SpanContext;
  isRecording(): boolean;
  setAttributes(attributes: Attributes): void;
  setStatus(status: SpanStatus): void;
  end(): void;
}

interface Active {
  readonly span: Span;
  /** Of the turn that is at work. */
  readonly conversationId?: string;
}

/** Costs nothing until a span is entered. */
const active = new AsyncLocalStorage<Active>();

/** The ids of the active span, for the log. */
export function activeSpanIds(): { trace_id?: string; span_id?: string } {
  const span = active.getStore()?.span.spanContext();
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {};
}

export interface TracingOptions {
  /** Starts a span under `parent`, or the first of a trace. */
  readonly startSpan: (name: string, options: SpanOptions, parent: Span | undefined) => Span;
  /** Reads and writes what goes from process to process. */
  readonly propagator: TextMapPropagator;
  /** Whether spans carry what people, the model and tools have said. */
  readonly captureContent: boolean;
  /** Sends what is left. */
  readonly shutdown: () => Promise<void>;
}

/**
 * Spans over OpenTelemetry's API. Where none are wanted there is no object of this class: nothing is
 * built or entered for nobody. Which span is active is kept here and not in OpenTelemetry's globals,
 * which belong to whoever in this process was first to set them.
 */
export class Tracing {
  readonly #options: TracingOptions;

  constructor(options: TracingOptions) {
    this.#options = options;
  }

  get captureContent(): boolean {
    return this.#options.captureContent;
  }

  /** A span under `parent`, or the first of a trace; to be ended by the caller. */
  start(name: string, options: SpanOptions, parent: Span | undefined): Span {
    return this.#options.startSpan(name, options, parent);
  }

  /** A span under the active one, to be ended by the caller; undefined where none is, or is recorded. */
  startChild(name: string, options: SpanOptions): Span | undefined {
    const parent = this.activeSpan;
    return parent?.isRecording() ? this.start(name, options, parent) : undefined;
  }

  get activeSpan(): Span | undefined {
    return active.getStore()?.span;
  }

  /** Of the turn that is at work. */
  get conversationId(): string | undefined {
    return active.getStore()?.conversationId;
  }

  /** Runs `work` with the span as the active one. */
  within<T>(span: Span, work: () => T, conversationId = this.conversationId): T {
    return active.run({ span, conversationId }, work);
  }

  /** Runs `work` in a span of its own under the active one; without a span where {@link startChild} makes none. */
  async runChild<T>(
    name: string,
    options: SpanOptions,
    work: (span: Span | undefined) => Promise<T>,
  ): Promise<T> {
    const span = this.startChild(name, options);
    if (!span) return work(undefined);
    try {
      return await this.within(span, () => work(span));
    } catch (error) {
      markFailed(span, errorType(error));
      throw error;
    } finally {
      span.end();
    }
  }

  /** The span that a request says it belongs to (W3C Trace Context). */
  parentOf(headers: IncomingHttpHeaders): Span | undefined {
    return trace.getSpan(this.#options.propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter));
  }

  /** The headers by which another process finds the active span (W3C Trace Context). */
  outgoingHeaders(): Record<string, string> {
    const headers: Record<string, string> = {};
    const span = this.activeSpan;
    if (span) {
      const context = trace.setSpanContext(ROOT_CONTEXT, span.spanContext());
      this.#options.propagator.inject(context, headers, defaultTextMapSetter);
    }
    return headers;
  }

  /** Sends what is left; never rejects. */
  shutdown(): Promise<void> {
    return this.#options.shutdown();
  }
}

/** Without the error's words, which may be a user's. */
export function markFailed(span: Span, type: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttributes({ "error.type": type });
}

/** A word of few for an error. */
export function errorType(error: unknown): string {
  if (error instanceof AppError) return error.meta.reason ?? error.code;
  return error instanceof Error ? error.name : typeof error;
}
