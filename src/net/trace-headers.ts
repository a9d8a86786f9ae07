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
  return (dispatch) => (options, handler) => {
    if (!options.origin || !isNamed(new URL(options.origin), rules)) return dispatch(options, handler);
    return dispatch({ ...options, headers: { ...options.headers, ...traceHeaders() } }, handler);
  };
}
