import { stripVTControlCharacters } from "node:util";

/** C0, C1 and DEL, but for tab and newline. */
const CONTROLS = /[\p{Cc}--[\t\n]]/gv;
/** Controls that turn the direction of all text behind them on the line. */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;

/**
 * Text of a conversation, fit for a terminal: whoever wrote it must not move the cursor, set the
 * window's title or answer the terminal's questions.
 */
export function safeText(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROLS, "");
}

/** The same on one line. */
export function safeLine(text: string): string {
  return safeText(text.replace(/\s+/g, " ")).replace(DIRECTIONS, "").trim();
}

/** JSON holds control characters escaped already, but for these; its value stays the same. */
export function safeJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[\x7f-\x9f]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
