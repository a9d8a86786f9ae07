import type { z } from "zod";
import { invalidArgument } from "../errors.ts";

export interface PageRequest {
  /** 0 means the default. */
  readonly pageSize: number;
  /** Empty means the first page. */
  readonly pageToken: string;
}

/** @returns the number of items that a page shall have: larger wishes get the largest page. */
export function pageLimit(pageSize: number, bounds: { default: number; max: number }): number {
  return pageSize === 0 ? bounds.default : Math.min(pageSize, bounds.max);
}

/** A page token is opaque to clients: base64url of the JSON of a position. */
export function encodePageToken(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** @throws AppError `invalid_argument` when the token is none of this schema. */
export function decodePageToken<Position>(token: string, schema: z.ZodType<Position>): Position | undefined {
  if (token === "") return undefined;
  try {
    return schema.parse(JSON.parse(Buffer.from(token, "base64url").toString()));
  } catch {
    throw invalidArgument(
      "page_token",
      "is not one that this method returned; leave it empty for the first page",
    );
  }
}
