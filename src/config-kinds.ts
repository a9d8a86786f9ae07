import { z } from "zod";

const LIST = new Intl.ListFormat("en-GB", { type: "disjunction" });

/** What is longer may be a secret that got into the wrong variable. */
const MAX_SHOWN_LENGTH = 20;

/** Says what a variable must be, and what it is; for kinds that are never secret. */
function must(be: string): { error: (issue: { input?: unknown }) => string } {
  return {
    error: ({ input }) =>
      typeof input === "string" && input.length <= MAX_SHOWN_LENGTH
        ? `must be ${be}; it is ${JSON.stringify(input)}`
        : `must be ${be}`,
  };
}

const numeric = (what: string, fits: (value: number) => boolean) =>
  z
    .string()
    .refine((text) => fits(Number(text)), must(what))
    .transform(Number);

export const number = (min: number, max: number) =>
  numeric(`a number from ${min} to ${max}`, (value) => value >= min && value <= max);

function wholeNumber(min: number, max?: number): string {
  return `a whole number ${max === undefined ? `of at least ${min}` : `from ${min} to ${max}`}`;
}

export const integer = (min: number, max?: number) =>
  numeric(
    wholeNumber(min, max),
    (value) => Number.isSafeInteger(value) && value >= min && value <= (max ?? value),
  );

/** A whole number, or `auto` for one that is found out. */
export const integerOrAuto = (min: number, max: number, auto: () => number) =>
  z.union([z.literal("auto").transform(auto), integer(min, max)], must(`auto or ${wholeNumber(min, max)}`));

export const oneOf = <const Names extends readonly string[]>(names: Names) =>
  z.enum(names, must(LIST.format(names)));

/** A secret that is sent in a header: what is no header's value would fail with each request, and be shown there. */
export const headerText = () =>
  z.string().regex(/^[\x20-\x7e]+$/, "must be one line of letters, digits and signs of ASCII");

/** Also `1`, `yes` and `on`, and their opposites. */
export const flag = () => z.stringbool(must("true or false"));
