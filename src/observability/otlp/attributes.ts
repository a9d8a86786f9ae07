import type { Attributes } from "@opentelemetry/api";
import type { ProtobufWriter } from "./protobuf-writer.ts";

/** Writes attributes as opentelemetry-proto has them (common/v1/common.proto: KeyValue, AnyValue). */
export function writeAttributes(
  writer: ProtobufWriter,
  field: number,
  attributes: Attributes,
  maxChars = Number.POSITIVE_INFINITY,
): void {
  for (const key in attributes) {
    const value = attributes[key];
    if (value === undefined) continue;
    const entry = writer.begin(field);
    writer.string(1, key);
    const wrapped = writer.begin(2);
    writeValue(writer, value, maxChars);
    writer.end(wrapped);
    writer.end(entry);
  }
}

function writeValue(writer: ProtobufWriter, value: unknown, maxChars: number): void {
  if (typeof value === "string") {
    writer.string(1, value.length > maxChars ? value.slice(0, maxChars) : value);
  } else if (typeof value === "boolean") {
    writer.varint(2, value ? 1 : 0);
  } else if (typeof value === "number") {
    if (Number.isSafeInteger(value) && value >= 0) writer.varint(3, value);
    else writer.double(4, value);
  } else if (Array.isArray(value)) {
    const list = writer.begin(5);
    for (const item of value) {
      const wrapped = writer.begin(1);
      writeValue(writer, item, maxChars);
      writer.end(wrapped);
    }
    writer.end(list);
  }
}
