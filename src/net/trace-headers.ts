import type { Dispatcher } from "undici";
import { type AllowRule, isNamed } from "./outbound-rules.ts";

/**
 * Adds the headers of the trace that is at work to requests of this server's owner's own hosts. Others
 * get none: a trace's ids, and what other systems have put into its state, are nothing to them, and would
 * tell them which requests belong together (W3C Trace Context, section 6, "Privacy Considerations").
 */
export function addTraceHeaders(
  rules: readonly AllowRule[],
  traceHeaders: () => Readonly<Record<string, string>>,
): Dispatcher.DispatcherComposeInterceptor {
  // Nearly all requests go to one host, the model's.
  let last: { readonly origin: string | URL; readonly named: boolean } | undefined;
  const takes = (origin: string | URL) => {
    if (last?.origin !== origin) last = { origin, named: isNamed(new URL(origin), rules) };
    return last.named;
  };
  return (dispatch) => (options, handler) => {
    if (!options.origin || !takes(options.origin)) return dispatch(options, handler);
    return dispatch({ ...options, headers: { ...options.headers, ...traceHeaders() } }, handler);
  };
}
