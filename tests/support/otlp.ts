import { buffer } from "node:stream/consumers";
import { LongType, MessageType, type PartialFieldInfo, RepeatType, ScalarType } from "@protobuf-ts/runtime";
import { localServer } from "./local-server.ts";

/** A span as it was received, its ids in hexadecimal. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty at the beginning of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number;
  /** In microseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly traceState: string;
  readonly flags: number;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface OtlpReceiver {
  /** What OTEL_EXPORTER_OTLP_ENDPOINT has to be. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** The headers of each batch. */
  readonly headers: readonly NodeJS.Dict<string | string[]>[];
  close(): Promise<void>;
}

/**
 * A collector that takes traces as OTLP over HTTP, in protobuf.
 *
 * @param answer gives the status of the answer to each batch, which is taken when it is 200.
 */
export async function startOtlpReceiver(
  answer: () => number | Promise<number> = () => 200,
): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: NodeJS.Dict<string | string[]>[] = [];
  const { url, close } = await localServer(async (_, response, request) => {
    const body = await buffer(request);
    const isExport =
      request.url === "/v1/traces" && request.headers["content-type"] === "application/x-protobuf";
    const status = isExport ? await answer() : 404;
    if (status === 200) {
      headers.push(request.headers);
      spans.push(...readSpans(body));
    }
    response.writeHead(status, { "content-type": "application/x-protobuf" }).end();
  });
  return { url, spans, headers, close };
}

// The part of OTLP's messages that is looked at, by the field numbers of opentelemetry-proto 1:
// collector/trace/v1/trace_service.proto, trace/v1/trace.proto, common/v1/common.proto.

interface AnyValue {
  value:
    | { oneofKind: "stringValue"; stringValue: string }
    | { oneofKind: "boolValue"; boolValue: boolean }
    | { oneofKind: "intValue"; intValue: bigint }
    | { oneofKind: "doubleValue"; doubleValue: number }
    | { oneofKind: "arrayValue"; arrayValue: { values: AnyValue[] } }
    | { oneofKind: undefined };
}
interface KeyValue {
  key: string;
  value?: AnyValue;
}
interface Attributed {
  attributes: KeyValue[];
}
interface WireSpan extends Attributed {
  traceId: Uint8Array;
  spanId: Uint8Array;
  parentSpanId: Uint8Array;
  name: string;
  kind: number;
  startTimeUnixNano: bigint;
  endTimeUnixNano: bigint;
  traceState: string;
  flags: number;
  status?: { code: number };
}
interface ExportRequest {
  resourceSpans: { resource?: Attributed; scopeSpans: { spans: WireSpan[] }[] }[];
}

const { STRING, BOOL, INT64, DOUBLE, BYTES, INT32, FIXED32, FIXED64 } = ScalarType;

function scalar(no: number, name: string, T: ScalarType): PartialFieldInfo {
  return { no, name, kind: "scalar", T, L: LongType.BIGINT };
}

function message(no: number, name: string, T: () => MessageType<object>): PartialFieldInfo {
  return { no, name, kind: "message", T };
}

function messages(no: number, name: string, T: () => MessageType<object>): PartialFieldInfo {
  return { no, name, kind: "message", T, repeat: RepeatType.UNPACKED };
}

function define<T extends object>(name: string, fields: readonly PartialFieldInfo[]): MessageType<T> {
  return new MessageType<T>(`opentelemetry.proto.${name}`, fields);
}

const AnyValue: MessageType<AnyValue> = define(
  "common.v1.AnyValue",
  [
    scalar(1, "string_value", STRING),
    scalar(2, "bool_value", BOOL),
    scalar(3, "int_value", INT64),
    scalar(4, "double_value", DOUBLE),
    message(5, "array_value", () => ArrayValue),
  ].map((field) => ({ ...field, oneof: "value" }) as PartialFieldInfo),
);
const ArrayValue = define<{ values: AnyValue[] }>("common.v1.ArrayValue", [
  messages(1, "values", () => AnyValue),
]);
const KeyValue = define<KeyValue>("common.v1.KeyValue", [
  scalar(1, "key", STRING),
  message(2, "value", () => AnyValue),
]);
const Resource = define<Attributed>("resource.v1.Resource", [messages(1, "attributes", () => KeyValue)]);
const Status = define<{ code: number }>("trace.v1.Status", [scalar(3, "code", INT32)]);
const Span = define<WireSpan>("trace.v1.Span", [
  scalar(1, "trace_id", BYTES),
  scalar(2, "span_id", BYTES),
  scalar(3, "trace_state", STRING),
  scalar(4, "parent_span_id", BYTES),
  scalar(5, "name", STRING),
  scalar(6, "kind", INT32),
  scalar(7, "start_time_unix_nano", FIXED64),
  scalar(8, "end_time_unix_nano", FIXED64),
  messages(9, "attributes", () => KeyValue),
  message(15, "status", () => Status),
  scalar(16, "flags", FIXED32),
]);
const ScopeSpans = define<{ spans: WireSpan[] }>("trace.v1.ScopeSpans", [messages(2, "spans", () => Span)]);
const ResourceSpans = define<ExportRequest["resourceSpans"][number]>("trace.v1.ResourceSpans", [
  message(1, "resource", () => Resource),
  messages(2, "scope_spans", () => ScopeSpans),
]);
const ExportTraceServiceRequest = define<ExportRequest>("collector.trace.v1.ExportTraceServiceRequest", [
  messages(1, "resource_spans", () => ResourceSpans),
]);

/** What an ExportTraceServiceRequest has. */
export function readSpans(body: Uint8Array): ReceivedSpan[] {
  return ExportTraceServiceRequest.fromBinary(body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        name: span.name,
        kind: span.kind,
        attributes: toRecord(span.attributes),
        status: span.status?.code ?? 0,
        startedAt: Number(span.startTimeUnixNano) / 1000,
        endedAt: Number(span.endTimeUnixNano) / 1000,
        traceState: span.traceState,
        flags: span.flags,
        resource: toRecord(resource?.attributes ?? []),
      })),
  );
}

function toRecord(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value && toPlain(value)]));
}

function toPlain({ value }: AnyValue): unknown {
  switch (value.oneofKind) {
    case "stringValue":
      return value.stringValue;
    case "boolValue":
      return value.boolValue;
    case "intValue":
      return Number(value.intValue);
    case "doubleValue":
      return value.doubleValue;
    case "arrayValue":
      return value.arrayValue.values.map(toPlain);
    default:
      return undefined;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
