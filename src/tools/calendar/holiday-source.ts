/** Where holidays come from: the port behind `get_holidays`. */
export interface HolidaySource {
  /** As the user may read it. */
  readonly name: string;
  /**
   * The holidays that have a day from `from` to `to`, in any order. Throws a ToolError when they
   * can't be had; rethrows what an abort of the signal throws.
   */
  find(query: HolidayQuery): Promise<FoundHolidays>;
}

/** One that knows places by their names, and answers for any. */
export interface PlacesHolidaySource extends HolidaySource {
  /** Whether both are the same place, by code or by any of its names; not if either is unknown. */
  isSame(a: HolidayPlace, b: HolidayPlace): Promise<boolean>;
}

export interface HolidayQuery {
  readonly place: HolidayPlace;
  /** First and last day, both inclusive, `YYYY-MM-DD`. */
  readonly from: string;
  readonly to: string;
  /** IANA zone in which a moment without a zone of its own is read. */
  readonly timezone: string;
  readonly signal: AbortSignal;
}

/** A country by ISO 3166-1 code or English name; a region by the part of its ISO 3166-2 code or by name. */
export interface HolidayPlace {
  readonly country?: string | undefined;
  readonly region?: string | undefined;
}

export interface FoundHolidays {
  readonly place: {
    readonly country?: string | undefined;
    readonly country_name?: string | undefined;
    readonly region?: string | undefined;
    readonly region_name?: string | undefined;
    /** The name that a feed gives itself. */
    readonly calendar?: string | undefined;
  };
  readonly holidays: readonly Holiday[];
}

export interface Holiday {
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** Last day of a holiday of several days, inclusive. */
  readonly end_date?: string;
  readonly name: string;
  /** Such as `public` or `bank`. */
  readonly type?: string;
}
