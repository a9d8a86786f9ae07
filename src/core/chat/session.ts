import { canonicalLocale, isTimezone, type UserLocale } from "../context.ts";
import { invalidArgument } from "../errors.ts";
import { digest } from "../ids.ts";

/** Where a message comes from, as the client says; empty text means "not given". */
export interface SessionMetadata {
  readonly platform: string;
  readonly userId: string;
  readonly chatId: string;
  readonly timezone: string;
  readonly locale: string;
}

export interface Session {
  /** Absent when the metadata has only a time zone or locale. */
  readonly key?: string;
  readonly platform?: string;
  readonly userId?: string;
  readonly userLocale: UserLocale;
}

const MAX_CHARS = { platform: 64, user_id: 256, chat_id: 256, timezone: 64, locale: 64 };

/**
 * Checks the metadata, and fills in the defaults.
 *
 * @throws AppError `invalid_argument`, with the field as meta `argument`.
 */
export function readSession(
  owner: string,
  metadata: SessionMetadata | undefined,
  defaults: UserLocale,
): Session {
  if (!metadata) return { userLocale: defaults };
  const { platform, userId, chatId } = metadata;
  const fields = {
    platform,
    user_id: userId,
    chat_id: chatId,
    timezone: metadata.timezone,
    locale: metadata.locale,
  };
  for (const [field, max] of Object.entries(MAX_CHARS)) {
    if ([...fields[field as keyof typeof fields]].length > max) {
      throw invalidArgument(`session_metadata.${field}`, `must have at most ${max} characters`);
    }
  }
  const userLocale = {
    timezone: metadata.timezone === "" ? defaults.timezone : readTimezone(metadata.timezone),
    locale: metadata.locale === "" ? defaults.locale : readLocale(metadata.locale),
  };
  const keyParts = { platform, user_id: userId, chat_id: chatId };
  const missing = Object.entries(keyParts).filter(([, value]) => value.trim() === "");
  if (missing.length === 3) return { userLocale };
  if (missing[0]) {
    throw invalidArgument(
      `session_metadata.${missing[0][0]}`,
      "is required: platform, user_id and chat_id together name the session",
    );
  }
  return { key: digest("session", owner, platform, userId, chatId), platform, userId, userLocale };
}

/** As it was given: Intl gives some names back as their former ones. */
function readTimezone(text: string): string {
  if (isTimezone(text)) return text;
  throw invalidArgument("session_metadata.timezone", "must be an IANA time zone name, such as Europe/Madrid");
}

function readLocale(text: string): string {
  const locale = canonicalLocale(text);
  if (locale !== undefined) return locale;
  throw invalidArgument("session_metadata.locale", "must be a BCP 47 language tag, such as en-GB");
}
