import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { type Attributes, createTraceState, SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import { AlwaysOnSampler, RandomIdGenerator } from "@opentelemetry/sdk-trace";
import fc from "fast-check";
import { BATCH, type Batch, Batches } from "../../../src/observability/otlp/batches.ts";
import { SpanMaker } from "../../../src/observability/otlp/spans.ts";
import type { Span } from "../../../src/observability/tracing.ts";
import { type ReceivedSpan, readSpans } from "../../support/otlp.ts";

let sent: Batch[];
let answers: (() => void)[];
let batches: Batches;
let spans: SpanMaker;

beforeEach(() => {
  sent = [];
  answers = [];
  batches = new Batches({ "service.name": "test" }, { name: "tests", version: "1" }, (batch) => {
    sent.push(batch);
    return new Promise((resolve) => answers.push(resolve));
  });
  spans = new SpanMaker({
    sampler: new AlwaysOnSampler(),
    ids: new RandomIdGenerator(),
    ended: (span) => batches.add(span),
  });
});

afterEach(() => {
  jest.useRealTimers();
});

function received(): ReceivedSpan[] {
  batches.flush();
  return sent.splice(0).flatMap(({ bytes }) => readSpans(bytes));
}

function roundTrip(attributes: Attributes): unknown {
  spans.start("span", { attributes }).end();
  const [span] = received();
  return span?.attributes;
}

describe("what a protobuf reader finds", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.string({ minLength: 120, maxLength: 300 }),
  );
  const number = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map((value) => value + 0),
  );

  test("is the attributes that were set", () => {
    const value = fc.oneof(text, number, fc.boolean(), fc.array(text), fc.array(number));
    const attributes = fc.dictionary(
      text.map((key) => `key ${key}`),
      value,
      { noNullPrototype: true },
    );
    fc.assert(fc.property(attributes, (given) => expect(roundTrip(given)).toEqual(given)));
  });

  test("is a text that is longer than a batch usually is", () => {
    const long = "ä".repeat(500_000);
    expect(roundTrip({ long, after: 1 })).toEqual({ long, after: 1 });
  });

  test("is no attribute without a value, and of one that was set again the later value", () => {
    const span = spans.start("span", { attributes: { kept: 1, again: 1, none: undefined } });
    span.setAttributes({ again: 2, later: true });
    span.end();
    expect(received()[0]?.attributes).toEqual({ kept: 1, again: 2, later: true });
  });

  test("is text that was cut where it is too long", () => {
    const cutting = new SpanMaker({
      sampler: new AlwaysOnSampler(),
      ids: new RandomIdGenerator(),
      maxValueChars: 3,
      ended: (span) => batches.add(span),
    });
    cutting.start("span", { attributes: { text: "abcdef", list: ["abcdef"], number: 123_456 } }).end();
    expect(received()[0]?.attributes).toEqual({ text: "abc", list: ["abc"], number: 123_456 });
  });

  test("is the span's place, kind, state and resource", () => {
    const context = {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: TraceFlags.SAMPLED,
      traceState: createTraceState("vendor=1"),
      isRemote: true,
    };
    const remote = { spanContext: () => context } as Span;
    const parent = spans.start("parent", { kind: SpanKind.SERVER }, remote);
    const child = spans.start("child", {}, parent);
    child.setStatus({ code: SpanStatusCode.ERROR });
    child.end();
    parent.end();
    const both = { traceId: context.traceId, traceState: "vendor=1", resource: { "service.name": "test" } };
    expect(received()).toMatchObject([
      { ...both, name: "child", kind: 1, status: 2, flags: 0x101, parentSpanId: parent.spanContext().spanId },
      { ...both, name: "parent", kind: 2, status: 0, flags: 0x301, parentSpanId: context.spanId },
    ]);
  });

  test("is when it was, a child within its parent", () => {
    const before = Date.now() * 1000;
    const parent = spans.start("parent", {});
    const child = spans.start("child", {}, parent);
    child.end();
    parent.end();
    const after = (Date.now() + 1) * 1000;
    const [inner, outer] = received();
    if (!inner || !outer) throw new Error("There are not two spans");
    const times = [before, outer.startedAt, inner.startedAt, inner.endedAt, outer.endedAt, after];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });
});

test("a span ends once", () => {
  const span = spans.start("span", {});
  expect(span.isRecording()).toBe(true);
  span.end();
  span.end();
  expect(span.isRecording()).toBe(false);
  expect(received()).toHaveLength(1);
});

describe("batches", () => {
  const end = (count: number) => {
    for (let i = 0; i < count; i++) spans.start("span", {}).end();
  };

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ["nextTick", "queueMicrotask", "performance"] });
  });

  test("go when they are full, or have waited for five seconds", () => {
    end(BATCH.spans + 1);
    expect(sent.map((batch) => batch.spans)).toEqual([BATCH.spans]);
    jest.advanceTimersByTime(4_999);
    expect(sent).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(sent.map((batch) => batch.spans)).toEqual([BATCH.spans, 1]);
  });

  test("are full by their size as well", () => {
    const attributes = { text: "x".repeat(400_000) };
    for (let i = 0; i < 3; i++) spans.start("span", { attributes }).end();
    expect(sent.map((batch) => batch.spans)).toEqual([3]);
  });

  test("wait for others to arrive when many are on their way, and then drop what is too much", async () => {
    end(BATCH.spans * (BATCH.inFlight + 2));
    jest.advanceTimersByTime(60_000);
    expect(sent).toHaveLength(BATCH.inFlight);
    answers[0]?.();
    await Promise.resolve();
    expect(sent.map((batch) => batch.spans)).toEqual(Array(BATCH.inFlight + 1).fill(BATCH.spans));
    for (const answer of answers) answer();
    await Promise.resolve();
    jest.advanceTimersByTime(60_000);
    expect(sent).toHaveLength(BATCH.inFlight + 1);
  });
});
