import type { IncomingMessage } from "node:http";
import type { ApiKey } from "../../core/api-key.ts";
import type { AnswerHeaders } from "../answer.ts";
import { type Caller, identify, unauthenticated } from "./api-key-access.ts";
import type { Cors } from "./cors.ts";
import type { EventLoopMonitor } from "./event-loop.ts";
import { overloaded, Refusal } from "./refusal.ts";
import type { RequestLimits } from "./request-limits.ts";

export interface AdmissionOptions {
  readonly load: Pick<EventLoopMonitor, "overloaded">;
  readonly cors: Cors;
  readonly keys: readonly ApiKey[];
  readonly limits: RequestLimits;
  /** Whether requests must name this machine as their host. */
  readonly localOnly: boolean;
}

/** `localhost`, its subdomains (RFC 6761, section 6.3) and the loopback addresses, with any port. */
const LOCAL_HOST = /^(?:(?:[\w-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;

/** What every request but those for the server's health must pass, cheapest first, before its body is read. */
export class Admission {
  readonly #options: AdmissionOptions;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * @param answerHeaders gets the headers that tell of limits.
   * @param evenIfBusy for what is needed most when the server has too much to do.
   * @throws Refusal
   */
  async admit(
    request: IncomingMessage,
    answerHeaders: AnswerHeaders,
    { evenIfBusy = false } = {},
  ): Promise<Caller> {
    const { load, keys, limits } = this.#options;
    if (load.overloaded && !evenIfBusy) throw overloaded();
    if (keys.length === 0) this.#refuseForeignPages(request);
    const caller = identify(request, keys);
    // Also for callers without a key, who could else try as many as they like.
    await limits.admit(request, caller, answerHeaders);
    if (!caller) throw unauthenticated(request);
    return caller;
  }

  /**
   * Where no key tells who asks, any web page that a user of this machine has open could ask in their
   * name. Browsers say in `Origin` whose page it is, and pages can't keep them from it; a page whose
   * name was made to lead here (DNS rebinding) still has its own name in `Host`.
   */
  #refuseForeignPages({ headers: { origin, host = "" } }: IncomingMessage): void {
    if (this.#options.localOnly && !LOCAL_HOST.test(host)) {
      throw new Refusal(
        "permission_denied",
        "foreign_page",
        "A server without API keys answers to localhost alone. Call it by that name, set API_KEYS, or set ALLOW_ANONYMOUS=true.",
      );
    }
    if (origin !== undefined && !this.#options.cors.allows(origin)) {
      throw new Refusal(
        "permission_denied",
        "foreign_page",
        "Web pages of this origin may not call the server. Add the origin to CORS_ORIGINS.",
      );
    }
  }
}
