import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { ResponseTooLargeError } from "../../../src/net/http-client.ts";
import { readEvents, type ServerSentEvent } from "../../../src/net/server-sent-events.ts";

async function eventsIn(...parts: (string | Uint8Array)[]): Promise<ServerSentEvent[]> {
  async function* body() {
    for (const part of parts) yield Buffer.from(part);
  }
  const events: ServerSentEvent[] = [];
  await readEvents(body(), (event) => events.push(event) > 0);
  return events;
}

const data = (...texts: string[]) => texts.map((text) => ({ event: "", data: text }));

describe("the examples of the standard", () => {
  test.each<[string, ServerSentEvent[]]>([
    [
      "data: This is the first message.\n\ndata: This is the second.\n\n",
      data("This is the first message.", "This is the second."),
    ],
    ["data: YHOO\ndata: +2\ndata: 10\n\n", data("YHOO\n+2\n10")],
    ["data\n\ndata\ndata\n\ndata:", data("", "\n", "")],
    ["data:test\n\ndata: test\n\n", data("test", "test")],
    [
      "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\ndata: 1\n\n",
      [
        { event: "add", data: "73857293" },
        { event: "remove", data: "2153" },
        { event: "", data: "1" },
      ],
    ],
    [
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
      data("first event", "second event", " third event"),
    ],
  ])("%j", async (stream, events) => {
    expect(await eventsIn(stream)).toEqual(events);
  });
});

test.each([
  ["comments and empty lines", "\n\n:\n: ping\n\n\n"],
  ["a name without data", "event: ping\n\n"],
  ["fields that are not known", "retry: 10\nid: 1\nDATA: x\n data: x\ndatas: x\nno field\n\n"],
  ["a web page", "<!doctype html>\n<p>data: x</p>\n"],
])("%s are no event", async (_what, stream) => {
  expect(await eventsIn(stream)).toEqual([]);
});

test("a name without data is not that of the next event", async () => {
  expect(await eventsIn("event: ping\n\ndata: x\n\n")).toEqual(data("x"));
});

test.each(["data: x", "data: x\n", "data: x\r", "data: x\r\n"])(
  "the stream may end in an event: %j",
  async (stream) => {
    expect(await eventsIn(stream)).toEqual(data("x"));
  },
);

test("a byte order mark is left out at the start alone", async () => {
  expect(await eventsIn("\uFEFFdata: \uFEFFx\n\n")).toEqual(data("\uFEFFx"));
  expect(await eventsIn("\uFEFF\uFEFFdata: x\n\n")).toEqual([]);
});

test("a line feed belongs to the carriage return before it, in another part too, and to no other", async () => {
  expect(await eventsIn("data: a\r", "\ndata: b\r", "\r", "\n", "data: c\n\r\n")).toEqual(data("a\nb", "c"));
  expect(await eventsIn("data: a\r", "", "\ndata: b\n\n")).toEqual(data("a\nb"));
});

test("bytes that are no UTF-8 are replaced", async () => {
  expect(await eventsIn("data: ", new Uint8Array([0xff, 0xe2, 0x82]), "\n\n")).toEqual(data("\uFFFD\uFFFD"));
});

test("wherever a stream is cut into parts, and however its lines end, its events are the same", async () => {
  const event = fc.record({
    event: fc.constantFrom("", "add", "größer"),
    data: fc.array(
      fc.string({ unit: "grapheme" }).map((text) => text.replace(/[\r\n]/g, "")),
      { minLength: 1 },
    ),
  });
  const property = fc.asyncProperty(
    fc.array(event),
    fc.constantFrom("\n", "\r", "\r\n"),
    fc.array(fc.nat()),
    async (events, end, cuts) => {
      const lines = events.flatMap(({ event, data }) => [
        ...(event === "" ? [] : [`event: ${event}`]),
        ...data.map((line) => `data: ${line}`),
        ": comment",
        "",
      ]);
      const bytes = Buffer.from(lines.map((line) => line + end).join(""));
      const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const parts = places.map((place, index) => bytes.subarray(places[index - 1] ?? 0, place));
      expect(await eventsIn(...parts)).toEqual(
        events.map(({ event, data }) => ({ event, data: data.join("\n") })),
      );
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

test.each([
  ["a line", "x".repeat(1_048_576)],
  ["an event", `data: ${"x".repeat(1_048_568)}\n`],
])("%s without an end is refused", async (_what, part) => {
  const parts = (times: number) => Array.from({ length: times }, () => part);
  expect((await eventsIn("data: ", ...parts(7), "\n\n")).length).toBe(1);
  await expect(eventsIn("data: ", ...parts(9))).rejects.toBeInstanceOf(ResponseTooLargeError);
});
