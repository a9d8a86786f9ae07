import type { Logger } from "./logger.ts";

/** Who asks, and what belongs to this one request. */
export interface RequestContext {
  /** The owner of the conversations that this request may see and make. */
  readonly principal: string;
  readonly requestId: string;
  readonly log: Logger;
}

/** The principal of a server without API keys. */
export const ANONYMOUS = "anonymous";

/** Where a user is, as far as an answer depends on it. */
export interface UserLocale {
  /** IANA time zone name, such as `Europe/Madrid`. */
  readonly timezone: string;
  /** BCP 47 tag, such as `en-GB`. */
  readonly locale: string;
}
