import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startTracing } from "../../../src/observability/otel-sdk.ts";
import { BATCH } from "../../../src/observability/otlp/batches.ts";
import type { Tracing } from "../../../src/observability/tracing.ts";
import { until } from "../../support/fake-clock.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../../support/otlp.ts";
import { TestLog } from "../../support/test-log.ts";

const QUEUE = BATCH.spans * BATCH.inFlight;

let log: TestLog;
let tracing: Tracing;
let receiver: OtlpReceiver;
/** What the collector answers, as soon as there is something. */
let answer: number | Promise<number>;

beforeEach(async () => {
  log = new TestLog();
  answer = 200;
  receiver = await startOtlpReceiver(() => answer);
  // The SDK reads it itself.
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  tracing = startTracing({
    serviceName: "test",
    serviceVersion: "1",
    sampler: "parentbased_always_on",
    samplerArg: 1,
    captureContent: false,
    log,
  });
});

afterEach(async () => {
  delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  await tracing.shutdown();
  await receiver.close();
});

function spans(count: number): void {
  for (let i = 0; i < count; i++) tracing.start("span", {}, undefined).end();
}

test("a collector that hangs lets no more than so many spans wait", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  answer = promise;
  spans(50_000);
  resolve(200);
  await tracing.shutdown();
  expect(receiver.spans.length).toBeGreaterThanOrEqual(QUEUE);
  expect(receiver.spans.length).toBeLessThanOrEqual(QUEUE + BATCH.spans);
  expect(log.lines).toEqual([]);
});

test("a collector that refuses is one line of the log, and one when it takes traces again", async () => {
  answer = 400;
  for (let batch = 0; batch < 3; batch++) {
    spans(BATCH.spans);
    await until(() => log.lines.length > 0);
  }
  answer = 200;
  await until(() => {
    spans(BATCH.spans);
    return receiver.spans.length > 0;
  });
  await until(() => log.lines.length > 1);
  expect(log.at("warn")).toEqual(["The collector takes no traces; spans are dropped until it does"]);
  expect(log.at("info")).toEqual(["The collector takes traces again"]);
  await tracing.shutdown();
});

test("shutting down sends what is left", async () => {
  spans(3);
  await tracing.shutdown();
  expect(receiver.spans).toHaveLength(3);
});

test("a span that is not recorded has no children, and keeps its trace", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
  const root = tracing.start("root", {}, tracing.parentOf({ traceparent }));
  await tracing.within(root, async () => {
    expect(tracing.startChild("child", {})).toBeUndefined();
    expect(await tracing.runChild("child", {}, async (span) => span)).toBeUndefined();
    expect(tracing.outgoingHeaders().traceparent).toBe(
      `00-0af7651916cd43dd8448eb211c80319c-${root.spanContext().spanId}-00`,
    );
  });
  root.end();
  await tracing.shutdown();
  expect(receiver.spans).toEqual([]);
});

test.each([
  "nonsense",
  "00-00000000000000000000000000000000-b7ad6b7169203331-01",
  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
])("a traceparent that is none begins no trace: %s", (traceparent) => {
  expect(tracing.parentOf({ traceparent })).toBeUndefined();
});

test("outside of a trace there is nothing to send on", () => {
  expect(tracing.outgoingHeaders()).toEqual({});
  expect(tracing.startChild("store", {})).toBeUndefined();
});
