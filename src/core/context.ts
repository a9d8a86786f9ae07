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

/** Whether it is the name of an IANA time zone, in any letter case. */
export function isTimezone(text: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
  } catch {
    return false;
  }
  // Intl takes offsets such as +01:00 too.
  return /^\w/.test(text);
}

/** A BCP 47 tag as it is usually written; undefined for what is none. */
export function canonicalLocale(tag: string): string | undefined {
  try {
    return new Intl.Locale(tag).toString();
  } catch {
    return undefined;
  }
}
