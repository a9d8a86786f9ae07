import { Temporal } from "temporal-polyfill";
import { ToolError } from "../../core/assistant/tool.ts";
import { closest, fold } from "../names.ts";

const MAX_KNOWN = 1_000;
/** Names as they were given, with IANA's. */
const known = new Map<string, string>();

/** The name as IANA writes it, from one in any letter case. Throws a ToolError that suggests others. */
export function zoneNamed(name: string): string {
  const found = known.get(name);
  if (found !== undefined) return found;
  try {
    const zone = Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId;
    if (known.size < MAX_KNOWN) known.set(name, zone);
    return zone;
  } catch {
    throw new ToolError(
      `There is no time zone '${name}'. Give an IANA name such as 'Europe/Madrid'${suggestion(name)}`,
    );
  }
}

function suggestion(name: string): string {
  const zones = Intl.supportedValuesOf("timeZone");
  const cityOf = (zone: string) => zone.slice(zone.lastIndexOf("/") + 1);
  const byCity = new Map(zones.map((zone) => [fold(cityOf(zone).replaceAll("_", " ")), zone]));
  const city = byCity.get(fold(cityOf(name).replaceAll("_", " ")));
  const near = city === undefined ? closest(name, zones, 2) : [city];
  return near.length === 0 ? "." : `; did you mean ${near.map((zone) => `'${zone}'`).join(" or ")}?`;
}

/** From UTC. */
interface Offset {
  /** Since the Unix epoch: no zone's offset changes within one. */
  readonly minute: number;
  readonly ms: number;
  /** As `+02:00`. */
  readonly text: string;
}

/** The latest of each zone: Temporal takes longer to find one than a call of a tool takes for all else. */
const offsets = new Map<string, Offset>();

/** @param timezone as {@link zoneNamed} gives it. */
export function offsetAt(timezone: string, now: number): Offset {
  const minute = Math.floor(now / 60_000);
  const known = offsets.get(timezone);
  if (known?.minute === minute) return known;
  const moment = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timezone);
  const offset = { minute, ms: moment.offsetNanoseconds / 1e6, text: moment.offset };
  offsets.set(timezone, offset);
  return offset;
}

/** What a wall clock shows, as a moment. */
export interface Resolved {
  readonly moment: Temporal.ZonedDateTime;
  /** Says so when the clocks skip that time or show it twice. */
  readonly note?: string | undefined;
}

/**
 * Reads a wall-clock time by the rule that calendars use (RFC 5545 3.3.5, Temporal's "compatible"):
 * a skipped time moves on by the length of the gap, of a repeated one it is the first.
 */
export function resolveWallTime(time: Temporal.PlainDateTime, timezone: string): Resolved {
  const moment = time.toZonedDateTime(timezone, { disambiguation: "compatible" });
  const wall = `${time.toPlainTime().toString({ smallestUnit: "minute" })} on ${time.toPlainDate()}`;
  if (!moment.toPlainDateTime().equals(time)) {
    const used = moment.toPlainTime().toString({ smallestUnit: "minute" });
    return {
      moment,
      note: `${wall} does not exist in ${timezone}: the clocks go forward. ${used} was used.`,
    };
  }
  if (time.toZonedDateTime(timezone, { disambiguation: "later" }).equals(moment)) return { moment };
  return {
    moment,
    note: `${wall} happens twice in ${timezone}: the clocks go back. The first, at UTC${moment.offset}, was used.`,
  };
}
