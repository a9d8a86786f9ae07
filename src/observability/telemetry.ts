import type { Meters } from "./metrics/meters.ts";
import type { Tracing } from "./tracing.ts";

/** What the observers tell: the one place that meters and spans hang on. */
export interface Telemetry {
  readonly meters: Meters;
  /** Absent when no spans are wanted. */
  readonly tracing?: Tracing;
}
