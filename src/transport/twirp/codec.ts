import type { IMessageType } from "@protobuf-ts/runtime";
import { AppError } from "../../core/errors.ts";
import { refuseUnknownEnumNames } from "./enum-names.ts";

/** How one of Twirp's two encodings reads requests and writes responses. */
export interface Codec {
  readonly contentType: string;
  /** @throws AppError `malformed`; `invalid_argument` for a name that an enum does not have. */
  decode<T extends object>(type: IMessageType<T>, body: Uint8Array): T;
  /** Text where it is some: Node.js sends that in one write with the headers, and bytes in another. */
  encode<T extends object>(type: IMessageType<T>, message: T): Uint8Array | string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

const json: Codec = {
  contentType: "application/json",
  decode(type, body) {
    const value = decoded("JSON in UTF-8; one without fields is {}", () => JSON.parse(utf8.decode(body)));
    refuseUnknownEnumNames(type, value);
    return decoded(`the JSON of ${type.typeName}`, () => type.fromJson(value, { ignoreUnknownFields: true }));
  },
  encode(type, message) {
    // As the reference server in Go does: names as in the .proto file, default values written out.
    const options = { useProtoFieldName: true, emitDefaultValues: true };
    return JSON.stringify(type.toJson(message, options));
  },
};

const protobuf: Codec = {
  contentType: "application/protobuf",
  decode(type, body) {
    return decoded(`the protobuf of ${type.typeName}`, () => type.fromBinary(body));
  },
  encode(type, message) {
    return type.toBinary(message);
  },
};

/** The codec for a Content-Type header; its parameters and case do not matter. */
export function codecFor(contentType: string | undefined): Codec | undefined {
  const essence = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  return [json, protobuf].find((codec) => codec.contentType === essence);
}

function decoded<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    const { argument, hint } = misfit(error);
    throw new AppError("malformed", `The request's body is not ${what}${hint && `: ${hint}`}.`, {
      meta: argument === undefined ? {} : { argument },
      cause: error,
    });
  }
}

/** What protobuf-ts's JSON reader did not get on with. What it says of the value stays here. */
function misfit(error: unknown): { argument?: string; hint: string } {
  const message = error instanceof Error ? error.message : "";
  const argument = /^Cannot parse JSON .* for [\w.]+#(\w+)/s.exec(message)?.[1];
  if (argument !== undefined) return { argument, hint: `${argument} does not fit` };
  // Of these it does not tell the field.
  const isTime = message.startsWith("Unable to parse Timestamp");
  return { hint: isTime ? "a time does not fit, write it as 2026-01-31T12:00:00Z" : "" };
}
