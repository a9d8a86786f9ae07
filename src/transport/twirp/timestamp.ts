import { Timestamp } from "../../gen/google/protobuf/timestamp";

/** @param ms since the Unix epoch. */
export function toTimestamp(ms: number): Timestamp {
  return Timestamp.fromDate(new Date(ms));
}
