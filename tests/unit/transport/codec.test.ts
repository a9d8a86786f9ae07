import { describe, expect, test } from "@jest/globals";
import { type FieldInfo, type IMessageType, MessageType, ScalarType } from "@protobuf-ts/runtime";
import fc from "fast-check";
import * as chat from "../../../src/gen/acai/chat/chat";
import { Timestamp } from "../../../src/gen/google/protobuf/timestamp";
import { type Codec, codecFor } from "../../../src/transport/twirp/codec.ts";

type AnyMessageType = IMessageType<object>;

const isMessageType = (value: unknown): value is AnyMessageType =>
  typeof value === "object" && value !== null && "typeName" in value && "fromBinary" in value;

const MESSAGE_TYPES: AnyMessageType[] = (Object.values(chat) as unknown[]).filter(isMessageType);

// RFC 3339 timestamps reach from year 1 to 9999 (protobuf's timestamp.proto).
const timestamps = fc.record({
  seconds: fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});
const text = fc.string({ unit: "binary" }).map((value) => value.toWellFormed());

function valuesOf(field: FieldInfo): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case "scalar":
      if (field.T === ScalarType.STRING) return text;
      if (field.T === ScalarType.UINT32) return fc.integer({ min: 0, max: 0xffff_ffff });
      throw new Error(`No values for ${field.name}`);
    case "enum":
      return fc.constantFrom(
        ...Object.values(field.T()[1]).filter((value): value is number => typeof value === "number"),
      );
    case "message":
      return messagesOf(field.T() as AnyMessageType);
    case "map":
      throw new Error(`No values for ${field.name}`);
  }
}

/** Any message of a type, made by its reflection. */
function messagesOf(type: AnyMessageType): fc.Arbitrary<object> {
  if (type.typeName === Timestamp.typeName) return timestamps.map((value) => Timestamp.create(value));
  const plain = type.fields.filter((field) => !field.oneof);
  const record: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(
    plain.map((field) => {
      const values = valuesOf(field);
      if (field.repeat) return [field.localName, fc.array(values, { maxLength: 4 })];
      return [field.localName, field.kind === "message" ? fc.option(values, { nil: undefined }) : values];
    }),
  );
  for (const group of new Set(type.fields.map((field) => field.oneof))) {
    if (!group) continue;
    const members = type.fields.filter((field) => field.oneof === group);
    record[group] = fc.oneof(
      fc.constant({ oneofKind: undefined }),
      ...members.map((field) =>
        valuesOf(field).map((value) => ({ oneofKind: field.localName, [field.localName]: value })),
      ),
    );
  }
  return fc.record(record).map((value) => type.create(value));
}

function codec(contentType: string) {
  const found = codecFor(contentType);
  if (!found) throw new Error(`No codec for ${contentType}`);
  return found;
}
const json = codec("application/json");
const protobuf = codec("application/protobuf");

/** What a codec makes of a message, as it is sent. */
const bytes = ({ encode }: Codec, type: AnyMessageType, message: object) =>
  Buffer.from(encode(type, message));

describe("JSON and protobuf say the same", () => {
  test("there are messages to try", () => {
    expect(MESSAGE_TYPES.map(({ typeName }) => typeName)).toContain("acai.chat.DescribeConversationResponse");
  });

  test.each(MESSAGE_TYPES.map((type) => ({ type, name: type.typeName })))("$name", ({ type }) => {
    fc.assert(
      fc.property(messagesOf(type), (message) => {
        const fromJson = json.decode(type, bytes(json, type, message));
        const fromBinary = protobuf.decode(type, bytes(protobuf, type, message));
        expect(type.equals(fromJson, message)).toBe(true);
        expect(type.equals(fromBinary, message)).toBe(true);
        expect(bytes(json, type, fromBinary).equals(bytes(json, type, message))).toBe(true);
        expect(bytes(protobuf, type, fromJson).equals(bytes(protobuf, type, message))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("enums in JSON", () => {
  const colours = () =>
    [
      "test.Colour",
      { 0: "UNSPECIFIED", 1: "RED", 2: "BLUE", UNSPECIFIED: 0, RED: 1, BLUE: 2 },
      "COLOUR_",
    ] as const;
  const inner = new MessageType("test.Inner", [{ no: 1, name: "shade_of", kind: "enum", T: colours }]);
  const outer = new MessageType("test.Outer", [
    { no: 1, name: "one_colour", kind: "enum", T: colours },
    { no: 2, name: "colours", kind: "enum", T: colours, repeat: 1 },
    { no: 3, name: "by_name", kind: "map", K: ScalarType.STRING, V: { kind: "enum", T: colours } },
    { no: 4, name: "inner", kind: "message", T: () => inner },
    { no: 5, name: "inners", kind: "message", T: () => inner, repeat: 2 },
    {
      no: 6,
      name: "inner_by_name",
      kind: "map",
      K: ScalarType.STRING,
      V: { kind: "message", T: () => inner },
    },
  ]);
  const decode = (value: object) => json.decode(outer, Buffer.from(JSON.stringify(value)));

  test.each([
    [{ one_colour: "COLOUR_GREEN" }, "one_colour"],
    [{ oneColour: "" }, "one_colour"],
    [{ one_colour: "toString" }, "one_colour"],
    [{ one_colour: "1" }, "one_colour"],
    [{ colours: ["COLOUR_RED", "GREEN"] }, "colours"],
    [{ by_name: { a: "COLOUR_RED", b: "GREEN" } }, "by_name"],
    [{ inner: { shade_of: "red" } }, "shade_of"],
    [{ inners: [{ shadeOf: "COLOUR_RED" }, { shadeOf: "GREEN" }] }, "shade_of"],
    [{ inner_by_name: { a: { shade_of: "GREEN" } } }, "shade_of"],
  ])("%j has a name that there is not", (value, argument) => {
    expect(() => decode(value)).toThrow(
      expect.objectContaining({
        code: "invalid_argument",
        message: `${argument} must be COLOUR_RED or COLOUR_BLUE`,
        meta: { argument },
      }),
    );
  });

  test("names with and without their prefix, numbers, null and unknown fields are taken", () => {
    const known = {
      one_colour: "COLOUR_BLUE",
      colours: ["RED", 2, 7, "COLOUR_UNSPECIFIED"],
      by_name: { a: "COLOUR_RED" },
      inner: { shade_of: null, brand_new: "GREEN" },
      inners: null,
      brand_new: "GREEN",
    };
    expect(decode(known)).toEqual({
      oneColour: 2,
      colours: [1, 2, 7, 0],
      byName: { a: 1 },
      inner: { shadeOf: 0 },
      inners: [],
      innerByName: {},
    });
  });

  test.each([{ by_name: 5 }, { by_name: null, colours: "RED" }, { inner: ["GREEN"] }, { colours: [null] }])(
    "%j is malformed",
    (value) => {
      expect(() => decode(value)).toThrow(expect.objectContaining({ code: "malformed" }));
    },
  );
});
