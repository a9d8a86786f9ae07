import { SessionMetadata } from "../gen/acai/chat/chat";

/**
 * The machine's time zone and locale, and nothing that would name a session; what is not known is
 * left empty, for the server's default.
 */
export function localeMetadata(env: NodeJS.ProcessEnv): SessionMetadata {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return SessionMetadata.create({
    // What ICU says when it can't make sense of TZ.
    timezone: timeZone === "Etc/Unknown" ? "" : timeZone,
    locale: toLanguageTag(env.LC_ALL || env.LC_MESSAGES || env.LANG || ""),
  });
}

/** `en_GB.UTF-8` as BCP 47 has it: `en-GB`; empty for `C`, `POSIX` and what is no locale. */
export function toLanguageTag(posixLocale: string): string {
  const name = posixLocale.split(/[.@]/, 1)[0] ?? "";
  if (name === "C" || name === "POSIX") return "";
  try {
    return new Intl.Locale(name.replaceAll("_", "-")).toString();
  } catch {
    return "";
  }
}
