import type { z } from "zod";
import { ToolError } from "../../core/assistant/tool.ts";
import {
  AddressNotAllowedError,
  type HttpClient,
  type HttpResponse,
  RequestRefusedError,
} from "../../net/http-client.ts";

const MAX_RESPONSE_BYTES = 1024 * 1024;

const NOT_UNDERSTOOD = "The weather service sent an answer that can't be understood. Try again later.";
const NOT_ALLOWED =
  "The weather service is at a private address: the server's operator must allow it in OUTBOUND_ALLOW.";

/** `path` under a base URL that may have a path of its own. */
export function endpoint(baseUrl: string, path: string, parameters: Record<string, string>): URL {
  const url = new URL(path, baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

/** One GET. The URL may hold a key, so no error here has it in its text. */
export async function ask(http: HttpClient, url: URL, signal: AbortSignal): Promise<HttpResponse> {
  try {
    return await http.get(url, { signal, maxBytes: MAX_RESPONSE_BYTES });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AddressNotAllowedError) throw new ToolError(NOT_ALLOWED, { cause: error });
    if (error instanceof RequestRefusedError) throw new ToolError(NOT_UNDERSTOOD, { cause: error });
    throw new ToolError("The weather service can't be reached right now. Try again later.", { cause: error });
  }
}

/** The body of a 2xx answer, checked. */
export function read<Schema extends z.ZodType>(response: HttpResponse, schema: Schema): z.output<Schema> {
  const { status, body } = response;
  if (status === 429) throw new ToolError("The weather service takes no more requests right now (429).");
  if (status < 200 || status > 299) {
    throw new ToolError(`The weather service can't answer right now (status ${status}). Try again later.`);
  }
  const result = schema.safeParse(parseJson(body));
  if (!result.success) throw new ToolError(NOT_UNDERSTOOD, { cause: result.error });
  return result.data;
}

/** Undefined when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function placeNotFound(location: string): ToolError {
  return new ToolError(`No place called '${location}' was found; check the spelling or add the country.`);
}
