import type { IMessageType } from "@protobuf-ts/runtime";
import type { MethodInfo } from "@protobuf-ts/runtime-rpc";
import { ChatService } from "../../src/gen/acai/chat/chat";

export type Encoding = "application/json" | "application/protobuf";

export const ENCODINGS: readonly Encoding[] = ["application/json", "application/protobuf"];

export const METHODS: readonly MethodInfo[] = ChatService.methods;

export interface ErrorBody {
  code: string;
  msg: string;
  meta: Record<string, string>;
}

/** The body of a request, as a client would send it. */
export function encodeRequest(
  method: MethodInfo,
  request: object,
  encoding: Encoding,
): Uint8Array<ArrayBuffer> {
  const type = method.I as IMessageType<object>;
  const message = type.create(request);
  if (encoding === "application/protobuf") return new Uint8Array(type.toBinary(message));
  return new TextEncoder().encode(type.toJsonString(message, { useProtoFieldName: true }));
}

/** The message in a response's body. */
export async function decodeResponse(method: MethodInfo, response: Response): Promise<object> {
  const type = method.O as IMessageType<object>;
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.headers.get("content-type") === "application/protobuf") return type.fromBinary(body);
  return type.fromJsonString(new TextDecoder().decode(body));
}

/** @param method of ChatService, or with its service: `acai.stats.StatsService/GetUsage`. */
export function post(
  baseUrl: string,
  method: string,
  body: Uint8Array<ArrayBuffer> | string,
  headers: Record<string, string> = { "content-type": "application/json" },
): Promise<Response> {
  const path = method.includes("/") ? method : `acai.chat.ChatService/${method}`;
  return fetch(`${baseUrl}/twirp/${path}`, { method: "POST", body, headers });
}

/** Calls a method with JSON, as most people would; the answer as it is on the wire. */
export async function callJson<Answer = Record<string, unknown>>(
  baseUrl: string,
  method: string,
  request: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Answer & Partial<ErrorBody> }> {
  const response = await post(baseUrl, method, JSON.stringify(request), {
    "content-type": "application/json",
    ...headers,
  });
  return { status: response.status, body: (await response.json()) as Answer & Partial<ErrorBody> };
}
