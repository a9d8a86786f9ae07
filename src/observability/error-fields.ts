/** Causes below an error; there may be no end of them. */
const MAX_DEPTH = 4;
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
    if (!(error instanceof Error)) return { type: typeof error, message: "Not an error" };
    const told: Record<string, unknown> = {
      type: error.name,
      message: withoutQuote(error),
      stack: framesOf(error),
    };
    for (const field of fields) {
      const value: unknown = Reflect.get(error, field);
      if (typeof value === "string" || typeof value === "number") told[field] = value;
    }
    const { meta } = error as { meta?: { reason?: unknown } };
    if (typeof meta?.reason === "string") told.reason = meta.reason;
    if (depth === MAX_DEPTH) return told;
    if (error.cause !== undefined) told.cause = tell(error.cause, depth + 1);
    if (error instanceof AggregateError) told.errors = error.errors.map((part) => tell(part, depth + 1));
    return told;
  };
  return (error) => tell(error, 0);
}

/** JSON.parse quotes what it could not read. */
function withoutQuote({ name, message }: Error): string {
  return name === "SyntaxError" ? message.replace(/"[\s\S]*"/, '"…"') : message;
}

/** The stack begins with the message, which is told apart from it. */
function framesOf({ stack = "" }: Error): string {
  const frames = stack.indexOf("\n    at ");
  return frames < 0 ? "" : stack.slice(frames + 1);
}
