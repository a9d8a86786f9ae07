import type { IncomingHttpHeaders } from "node:http";

export interface HttpGetOptions {
  /** The time-out of the whole call; the client's own bounds are for what hangs. */
  readonly signal: AbortSignal;
  /** Of the decoded body; a longer one is an error. */
  readonly maxBytes: number;
  /** Sent to the URL's own origin alone, never to where a redirect leads. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How many redirects are followed. Default 0: the redirect itself is the response. */
  readonly maxRedirects?: number;
}

export interface HttpResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The outgoing HTTP that tools use. */
export interface HttpClient {
  /**
   * @throws RequestRefusedError for what another attempt would meet again.
   * @throws the signal's reason when it aborts, or the transport's own error: a connection that
   *   fails or breaks, a certificate that is not valid, a server that is too slow.
   */
  get(url: URL, options: HttpGetOptions): Promise<HttpResponse>;
}

export interface HttpPostOptions {
  readonly signal: AbortSignal;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer that is read while it comes in. Its body has to be read or dumped. */
export interface StreamedResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  /**
   * The decoded body, part by part. Whoever stops reading closes the connection.
   *
   * @throws as {@link StreamingClient.post}, and ResponseTooLargeError for what no answer can be.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** To be called where the rest of the body is not wanted, but its connection may be used again. */
  dump(): void;
}

/** The outgoing HTTP that providers of models and reports of faults use. */
export interface StreamingClient {
  /**
   * Resolves when the answer begins. Redirects are not followed.
   *
   * @throws RequestRefusedError for what another attempt would meet again.
   * @throws the signal's reason when it aborts, or the transport's own error.
   */
  post(url: URL, options: HttpPostOptions): Promise<StreamedResponse>;
}

/** A request that this server will not make, or an answer that it will not take: not to be repeated. */
export class RequestRefusedError extends Error {
  override readonly name: string = "RequestRefusedError";
}

/** The host's address is private, of this machine or reserved, and OUTBOUND_ALLOW does not have it. */
export class AddressNotAllowedError extends RequestRefusedError {
  override readonly name = "AddressNotAllowedError";
}

export class ResponseTooLargeError extends RequestRefusedError {
  override readonly name = "ResponseTooLargeError";
}
