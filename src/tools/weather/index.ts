export { type OpenMeteoOptions, openMeteo } from "./open-meteo.ts";
export { weatherTool } from "./tool.ts";
export { type WeatherApiOptions, weatherApi } from "./weather-api.ts";
