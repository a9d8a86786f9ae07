export { dateHolidays } from "./date-holidays.ts";
export type { HolidayPlace } from "./holiday-source.ts";
export { type IcalFeedOptions, icalFeed } from "./ical-feed.ts";
export { type HolidaysToolOptions, holidaysTool } from "./tool.ts";
