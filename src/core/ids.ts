import { hash, randomFillSync } from "node:crypto";

/** 24 lower-case hexadecimal digits: a conversation, turn or message id. */
export type Id = string;

const ID_PATTERN = /^[0-9a-f]{24}$/;

export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

export interface IdGenerator {
  /** A fresh id, unique among all processes. */
  next(): Id;
}

const RANDOM_BYTES = 8;

/** Ids of MongoDB's ObjectId shape: 4 bytes of seconds, then 8 random bytes. */
export function randomIds(now: () => number): IdGenerator {
  // A call of the system's generator costs more than all else, and gives many ids' bytes as fast as one's.
  const pool = Buffer.allocUnsafeSlow(RANDOM_BYTES * 512);
  let used = pool.length;
  const random = () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += RANDOM_BYTES;
    return pool.toString("hex", used - RANDOM_BYTES, used);
  };
  return {
    next() {
      const seconds = Math.floor(now() / 1000)
        .toString(16)
        .padStart(8, "0");
      return seconds.slice(-8) + random();
    },
  };
}

/** The same id for the same parts, in every process; the parts can't run into one another. */
export function derivedId(...parts: string[]): Id {
  return digest(...parts).slice(0, 24);
}

/** SHA-256 of the parts, in hexadecimal digits; the parts can't run into one another. */
export function digest(...parts: string[]): string {
  return hash("sha256", JSON.stringify(parts));
}
