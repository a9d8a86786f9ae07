export { openMeteo } from "./open-meteo.ts";
export { weatherTool } from "./tool.ts";
export { weatherApi } from "./weather-api.ts";
