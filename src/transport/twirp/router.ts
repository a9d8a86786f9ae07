import type { IncomingHttpHeaders } from "node:http";
import type { IMessageType } from "@protobuf-ts/runtime";
import type { MethodInfo, ServiceType } from "@protobuf-ts/runtime-rpc";
import type { RequestContext } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import type { Answer } from "../answer.ts";
import { type Codec, codecFor } from "./codec.ts";

const PREFIX = "/twirp/";

export type Handler = (
  request: never,
  context: RequestContext,
  headers: IncomingHttpHeaders,
) => Promise<object>;

/** A generated service with a handler for each of its methods. */
export interface ServiceBinding {
  readonly type: ServiceType;
  readonly handlers: Readonly<Record<string, Handler>>;
}

/** A request as far as its route is concerned. */
export interface RouteRequest {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  readonly contentType: string | undefined;
}

export interface Route {
  readonly contentType: string;
  /** Decodes the body, calls the handler, and encodes its response. */
  call(body: Uint8Array, context: RequestContext, headers: IncomingHttpHeaders): Promise<Answer["body"]>;
}

/**
 * Routes as Twirp v7's specification has them ("Routing Protocol"): over the reflection that
 * protobuf-ts generates, so that a service needs no code of its own but its handlers.
 */
export class TwirpRouter {
  /** By their paths. */
  readonly #methods = new Map<string, { method: MethodInfo; handler: Handler }>();

  constructor(bindings: readonly ServiceBinding[]) {
    for (const { type, handlers } of bindings) {
      for (const method of type.methods) {
        const handler = handlers[method.name];
        if (!handler) throw new Error(`${type.typeName}/${method.name} has no handler`);
        this.#methods.set(`${PREFIX}${type.typeName}/${method.name}`, { method, handler });
      }
    }
  }

  /** Whether a method is at this path. */
  has(path: string): boolean {
    return this.#methods.has(path);
  }

  /** @throws AppError `bad_route` */
  match(request: RouteRequest): Route {
    if (!request.path.startsWith(PREFIX)) {
      throw badRoute(
        request,
        "There is nothing at this path. Methods are at /twirp/<package.Service>/<Method>.",
      );
    }
    const found = this.#methods.get(request.path);
    if (!found) {
      const known = [...this.#methods.keys()].map((path) => path.slice(PREFIX.length)).join(", ");
      throw badRoute(request, `There is no such method. The methods are: ${known}.`);
    }
    if (request.method !== "POST") {
      throw badRoute(request, "Methods are called with POST.");
    }
    const codec = codecFor(request.contentType);
    if (!codec) {
      throw badRoute(request, "The Content-Type must be application/json or application/protobuf.");
    }
    return new BoundRoute(codec, found.method, found.handler);
  }
}

class BoundRoute implements Route {
  readonly #codec: Codec;
  readonly #method: MethodInfo;
  readonly #handler: Handler;

  constructor(codec: Codec, method: MethodInfo, handler: Handler) {
    this.#codec = codec;
    this.#method = method;
    this.#handler = handler;
  }

  get contentType(): string {
    return this.#codec.contentType;
  }

  async call(
    body: Uint8Array,
    context: RequestContext,
    headers: IncomingHttpHeaders,
  ): Promise<Answer["body"]> {
    const request = this.#codec.decode(this.#method.I as IMessageType<object>, body);
    const response = await this.#handler(request as never, context, headers);
    return this.#codec.encode(this.#method.O as IMessageType<object>, response);
  }
}

function badRoute({ method, path }: RouteRequest, message: string): AppError {
  return new AppError("bad_route", message, { meta: { twirp_invalid_route: `${method} ${path}` } });
}
