import { z } from "zod";

/** What the tools answer, as far as it is put into words. Further fields are left alone. */

const day = z.string().regex(/^\d{4}-\d\d-\d\d/);

export const weatherResult = z.object({
  location: z.object({
    name: z.string(),
    region: z.string().optional(),
    country: z.string().optional(),
    country_code: z.string().optional(),
    timezone: z.string().optional(),
  }),
  observed_at: z.string(),
  units: z.object({ temperature: z.string(), wind_speed: z.string(), precipitation: z.string() }),
  current: z.object({
    condition: z.string(),
    temperature: z.number(),
    feels_like: z.number(),
    humidity_percent: z.number(),
    wind_speed: z.number(),
    precipitation: z.number(),
  }),
  forecast: z.array(
    z.object({
      date: day,
      condition: z.string(),
      temperature_min: z.number(),
      temperature_max: z.number(),
      precipitation: z.number(),
      precipitation_chance_percent: z.number().optional(),
    }),
  ),
  source: z.string(),
});

export const holidaysResult = z.object({
  place: z.object({
    country: z.string().optional(),
    country_name: z.string().optional(),
    region: z.string().optional(),
    region_name: z.string().optional(),
    calendar: z.string().optional(),
  }),
  after_date: day,
  before_date: day,
  holidays: z.array(
    z.object({ date: day, end_date: day.optional(), name: z.string(), type: z.string().optional() }),
  ),
  more: z.boolean(),
});

export const datetimeResult = z.object({
  timezone: z.string(),
  date: day,
  time: z.string().regex(/^\d\d:\d\d/),
  utc_offset: z.string(),
});

/** What the tool had to decide about a time that a clock change skips or repeats. */
const note = z.string().optional();

export const shiftResult = z.object({ result: day, note });
export const daysBetweenResult = z.object({ days: z.number(), weeks: z.number().optional() });
export const weekdayResult = z.object({ date: day });
export const convertResult = z.object({
  datetime: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d/),
  note,
});

export type WeatherResult = z.infer<typeof weatherResult>;
export type HolidaysResult = z.infer<typeof holidaysResult>;

/** The outcome of a tool call: its result, or why there is none. */
export type Outcome<T> = { readonly result: T } | { readonly problem: string };

export function parseResult<T>(schema: z.ZodType<T>, content: string): Outcome<T> {
  try {
    const parsed = schema.safeParse(JSON.parse(content));
    if (parsed.success) return { result: parsed.data };
  } catch {
    // Falls through: text that is no JSON is as unreadable as JSON of another shape.
  }
  return { problem: "the answer of the tool has a form that I can't read" };
}
