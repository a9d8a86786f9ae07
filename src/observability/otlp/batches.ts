import type { Attributes } from "@opentelemetry/api";
import { writeAttributes } from "./attributes.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** How many spans are sent together, and how many batches may be on their way. */
export const BATCH = { spans: 1_024, inFlight: 4 };
/** What is sent together whatever their number is, in bytes. */
const MAX_BYTES = 1_048_576;
/** How long a span waits for others, in milliseconds. */
const DELAY_MS = 5_000;
/** What a batch takes without content, in bytes. */
const USUAL_BYTES = 327_680;

/** Spans as ExportTraceServiceRequest (collector/trace/v1/trace_service.proto). */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly spans: number;
}

interface Writable {
  write(writer: ProtobufWriter, field: number): void;
}

/**
 * Gathers spans that have ended, already as the bytes that are sent: what has been said in a turn is not
 * kept as objects until a collector takes it.
 */
export class Batches {
  readonly #resource: Attributes;
  readonly #scope: { readonly name: string; readonly version: string };
  readonly #send: (batch: Batch) => Promise<void>;
  #open: { readonly writer: ProtobufWriter; readonly messages: readonly number[]; spans: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether what is open has waited long enough. */
  #due = false;
  #inFlight = 0;

  /** @param send never rejects. */
  constructor(
    resource: Attributes,
    scope: { readonly name: string; readonly version: string },
    send: (batch: Batch) => Promise<void>,
  ) {
    this.#resource = resource;
    this.#scope = scope;
    this.#send = send;
  }

  /** Drops it when there are too many. */
  add(span: Writable): void {
    if (this.#isFull()) return;
    this.#open ??= this.#begin();
    // ScopeSpans.spans
    span.write(this.#open.writer, 2);
    this.#open.spans++;
    if (this.#isFull()) this.#sendWhenFree();
    else this.#timer ??= setTimeout(() => this.#sendWhenFree(), DELAY_MS).unref();
  }

  /** Sends what has been gathered, however much is on its way. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = false;
    const batch = this.#open;
    if (!batch) return;
    this.#open = undefined;
    for (const message of batch.messages) batch.writer.end(message);
    this.#inFlight++;
    this.#send({ bytes: batch.writer.bytes(), spans: batch.spans }).then(() => {
      this.#inFlight--;
      if (this.#due) this.#sendWhenFree();
    });
  }

  #sendWhenFree(): void {
    this.#due = true;
    if (this.#inFlight < BATCH.inFlight) this.flush();
  }

  #isFull(): boolean {
    return (
      this.#open !== undefined && (this.#open.spans >= BATCH.spans || this.#open.writer.length >= MAX_BYTES)
    );
  }

  /** The messages around the spans, which stay open: ResourceSpans and in it ScopeSpans. */
  #begin() {
    const writer = new ProtobufWriter(USUAL_BYTES);
    const resourceSpans = writer.begin(1);
    const resource = writer.begin(1);
    writeAttributes(writer, 1, this.#resource);
    writer.end(resource);
    const scopeSpans = writer.begin(2);
    const scope = writer.begin(1);
    writer.string(1, this.#scope.name);
    writer.string(2, this.#scope.version);
    writer.end(scope);
    return { writer, messages: [scopeSpans, resourceSpans], spans: 0 };
  }
}
