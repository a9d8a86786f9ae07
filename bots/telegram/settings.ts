import type { Api } from "grammy";
import type { BotCommand } from "grammy/types";
import { COMMANDS } from "./incoming.ts";

/** What a person has chosen; what is not set is automatic. */
export interface Settings {
  /** IANA name. */
  readonly timezone?: string;
  /** BCP 47 tag. */
  readonly language?: string;
}

const UNSET = "automatic";
const FORMAT = /^Time zone (\S+), language (\S+)$/;
/** Another bot process may change them, so what was read is trusted for this long only. */
const FRESH_MS = 600_000;
const MAX_KNOWN = 10_000;

/**
 * People's settings. The bot keeps none: they are in Telegram itself, in the person's own command menu
 * (`setMyCommands` with the scope of their private chat), as the description of /settings. There they
 * outlive every restart, and the person sees them.
 */
export class SettingsMenu {
  readonly #api: Pick<Api, "getMyCommands" | "setMyCommands" | "deleteMyCommands">;
  readonly #now: () => number;
  /** In the order they were read: a map keeps the order of insertion. */
  readonly #known = new Map<number, { settings: Settings; readAt: number }>();

  constructor(api: Pick<Api, "getMyCommands" | "setMyCommands" | "deleteMyCommands">, now = Date.now) {
    this.#api = api;
    this.#now = now;
  }

  /** @throws GrammyError, HttpError */
  async read(userId: number): Promise<Settings> {
    const known = this.#known.get(userId);
    if (known && this.#now() - known.readAt < FRESH_MS) return known.settings;
    return this.#remember(userId, parse(await this.#api.getMyCommands({ scope: scopeOf(userId) })));
  }

  /** @throws GrammyError, HttpError */
  async write(userId: number, settings: Settings): Promise<Settings> {
    const scope = scopeOf(userId);
    if (settings.timezone || settings.language) {
      const { timezone = UNSET, language = UNSET } = settings;
      const commands = COMMANDS.map(({ command, description }) => ({
        command,
        description: command === "settings" ? `Time zone ${timezone}, language ${language}` : description,
      }));
      await this.#api.setMyCommands(commands, { scope });
    } else {
      await this.#api.deleteMyCommands({ scope });
    }
    return this.#remember(userId, settings);
  }

  #remember(userId: number, settings: Settings): Settings {
    this.#known.delete(userId);
    this.#known.set(userId, { settings, readAt: this.#now() });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    return settings;
  }
}

/** A private chat has the id of its person. */
function scopeOf(userId: number) {
  return { type: "chat", chat_id: userId } as const;
}

function parse(commands: readonly BotCommand[]): Settings {
  const description = commands.find(({ command }) => command === "settings")?.description ?? "";
  const [, timezone = UNSET, language = UNSET] = FORMAT.exec(description) ?? [];
  return {
    ...(timezone !== UNSET && isTimezone(timezone) && { timezone }),
    ...(language !== UNSET && isLanguage(language) && { language }),
  };
}

/** What a person typed behind /settings: a time zone, a city that names one, or a language. */
export function readSetting(text: string): Settings | undefined {
  const name = text.trim().replaceAll(/\s+/g, "_").toLowerCase();
  const zone = Intl.supportedValuesOf("timeZone").find((zone) => {
    const lower = zone.toLowerCase();
    return lower === name || lower.endsWith(`/${name}`);
  });
  if (zone) return { timezone: zone };
  // Former names, such as Asia/Calcutta, and UTC are none of the supported values.
  if ((name.includes("/") || name === "utc") && isTimezone(text.trim())) return { timezone: text.trim() };
  return isLanguage(text.trim()) ? { language: new Intl.Locale(text.trim()).toString() } : undefined;
}

/** The tag when it is one that the server takes, else empty. */
export function languageTag(tag: string | undefined): string {
  try {
    return tag ? new Intl.Locale(tag).toString() : "";
  } catch {
    return "";
  }
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

function isLanguage(tag: string): boolean {
  if (!/^[a-z]{2,3}(-[a-z\d]{2,8})*$/i.test(tag) || languageTag(tag) === "") return false;
  // Its name is the tag itself when nobody speaks it.
  const language = new Intl.Locale(tag).language;
  return new Intl.DisplayNames("en", { type: "language" }).of(language) !== language;
}
