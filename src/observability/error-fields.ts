/** Causes below causes below an error, before one looks for a circle. */
const MAX_DEPTH = 8;
/** Fields that errors of this project and of Node.js say something by, none of them a user's or a service's words. */
const FIELDS = ["code", "status", "requestId", "problem"] as const;
/** What somebody else said, who may have quoted a user: for the log at level debug. */
const WORDS = "words";

/**
 * What the log tells of an error, by allow-list: the errors of drivers carry their commands, passwords
 * included, and the documents and requests that failed.
 *
 * @param withWords whether also of what a service said.
 */
export function errorFields(withWords: boolean): (error: unknown) => unknown {
  const fields = withWords ? [...FIELDS, WORDS] : FIELDS;
  const tell = (error: unknown, depth: number): unknown => {
    if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
    const told: Record<string, unknown> = { type: error.name, message: error.message, stack: error.stack };
    for (const field of fields) {
      const value: unknown = Reflect.get(error, field);
      if (typeof value === "string" || typeof value === "number") told[field] = value;
    }
    if (depth === MAX_DEPTH) return told;
    if (error.cause !== undefined) told.cause = tell(error.cause, depth + 1);
    if (error instanceof AggregateError) told.errors = error.errors.map((part) => tell(part, depth + 1));
    return told;
  };
  return (error) => tell(error, 0);
}
