import { COUNT } from "./numbers.ts";

/** What a question is about; several may fit, and the first one that can be built is taken. */
export type TaskKind = "days_between" | "weather" | "holidays" | "convert" | "shift" | "day" | "now";

const UNIT = "(minute|hour|day|week|month|year)s?";

/** `90 days after`, `2 hours and 30 minutes ago`, `in 3 weeks`. */
export const SHIFT = new RegExp(
  `\\b(in )?(${COUNT}) ${UNIT}(?:,? (?:and )?(${COUNT}) ${UNIT})?(?:'? time)?(?: (from|after|before|ago|later|hence|earlier)\\b(?: now\\b| today\\b)?)?`,
  "i",
);

/** `15:00`, `9.30 am`, `3 pm`, `noon`. */
export const CLOCK =
  /\b(\d{1,2})[:.h](\d\d)(?![.\d])(?:\s?([ap])\.?m\b\.?)?|\b(\d{1,2})(?:\s?([ap])\.?m\b\.?|\s?o'clock\b)|\b(noon|midday|midnight)\b/i;

const KINDS: readonly (readonly [TaskKind, RegExp])[] = [
  [
    "days_between",
    /\bhow (?:(?:many|much) (?:more )?(?:days?|weeks?|nights?|sleeps?|time|longer)|long|far)\b.*\b(?:until|til|till|to|before|since|between|from|left|away|off|ago)\b|(?<!(?:\d|\b(?:an?|one|two|three|four|five|six|ten|twelve)) )\b(?:days?|weeks?|time) (?:until|til|till|to|before|since|between|left)\b|\bcountdown\b/i,
  ],
  [
    "weather",
    /\b(?:weather|forecasts?|rain(?:s|y|ing|fall)?|raincoat|snow(?:s|y|ing)?|umbrella|temperatures?|temp|hot|hott?er|hottest|cold|colder|coldest|cool|cooler|coolest|warm|warmer|warmest|sunny|sunshine|wind|windy|windier|humid|humidity|degrees|celsius|fahrenheit|cloudy|clouds|fog|foggy|storms?|stormy|thunderstorms?|jacket|coat|wetter|drier|freezing|raining|showers|climate)\b/i,
  ],
  ["holidays", /\b(?:holidays?|days? off|festiv(?:al|als|ity|ities)|long weekends?|hols)\b/i],
  [
    "convert",
    new RegExp(`(?=.*(?:${CLOCK.source}))(?:.*\\b(?:time|convert|when|what|what's|whats)\\b)`, "i"),
  ],
  [
    "shift",
    new RegExp(
      `(?:${SHIFT.source.replace("(in )?", "")}(?<=from|after|before|ago|later|hence|earlier| now| today))|(?=.*\\b(?:date|day|time|when)\\b).*\\bin ${COUNT} ${UNIT}`,
      "i",
    ),
  ],
  [
    "day",
    /\b(?:what|which)(?:'s|s)?(?: is| was)?(?: the)?(?: current)? (?:day|date|weekday)\b|\b(?:the|today's|todays|current) date\b|\bday of (?:the )?week\b|\bweekday\b|^(?:and )?when(?:'s|s)?\b|^what(?:'s|s| is) (?:today|tomorrow)\b|\bdate (?:today|tomorrow|is it|in)\b|\bday (?:is it|today)\b/i,
  ],
  [
    "now",
    /\b(?:what|whats|what's|the|current|local|and|got the)(?: is)?(?: the)?(?: current| local| exact)? time\b(?! of)|\btime (?:is it|now|in|at|there|zone)\b|^(?:and )?time\b|\btimezone\b|\bwhat o'clock\b|\btime$/i,
  ],
];

/** Every kind whose words a text has, the most telling first. */
export function kindsOf(text: string): readonly TaskKind[] {
  return KINDS.filter(([, pattern]) => pattern.test(text)).map(([kind]) => kind);
}

/** Asks for something to be made or explained, whatever it is about. */
const BEYOND =
  /^(?:(?:and|also|plus|then|but|or) )?(?:(?:can|could|would|will) you |please |i want you to )*(?:please )?(?:write|compose|translate|code|program|draw|sing|explain|summari[sz]e|imagine|invent|solve|calculate|compute|book|order|buy)\b|\b(?:poem|haiku|joke|limerick|essay|python|javascript)\b|^why\b/i;

export function isBeyond(text: string): boolean {
  return BEYOND.test(text);
}
