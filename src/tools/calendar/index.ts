export { dateHolidays, requireKnownPlace } from "./date-holidays.ts";
export type { HolidayPlace } from "./holiday-source.ts";
export { icalFeed } from "./ical-feed.ts";
export { holidaysTool } from "./tool.ts";
