/** Where weather comes from: the port behind `get_weather`. */
export interface WeatherSource {
  /** As the user may read it. */
  readonly name: string;
  /**
   * Finds the place and its weather. Throws a ToolError when there is no such place or the service
   * gives no usable answer; rethrows what an abort of the signal throws.
   */
  report(request: WeatherRequest): Promise<WeatherReport>;
}

export interface WeatherRequest {
  /** As the user said it, such as "Barcelona", "Paris, Texas". */
  readonly location: string;
  /** Days of forecast, the first is today: 1 to 7. */
  readonly days: number;
  readonly units: UnitSystem;
  readonly signal: AbortSignal;
}

/** Metric: °C, km/h, mm. Imperial: °F, mph, inches. */
export type UnitSystem = "metric" | "imperial";

export interface WeatherReport {
  readonly location: {
    readonly name: string;
    readonly region?: string;
    readonly country?: string;
    /** ISO 3166-1 alpha-2. */
    readonly country_code?: string;
    /** IANA name. */
    readonly timezone?: string;
  };
  /** Local time of the place, `YYYY-MM-DDTHH:MM`. */
  readonly observed_at: string;
  readonly current: {
    /** In English words. */
    readonly condition: string;
    readonly temperature: number;
    readonly feels_like: number;
    readonly humidity_percent: number;
    readonly wind_speed: number;
    readonly precipitation: number;
  };
  /** One entry a day, today first. A service may know fewer days than it was asked for. */
  readonly forecast: readonly {
    readonly date: string;
    readonly condition: string;
    readonly temperature_min: number;
    readonly temperature_max: number;
    readonly precipitation: number;
    readonly precipitation_chance_percent?: number;
  }[];
}
