/**
 * How long a server asks to be left alone, in whole milliseconds: from `retry-after-ms`, as OpenAI sends
 * it, or from `retry-after` in seconds or as a date (RFC 9110, section 10.2.3). A date counts from the
 * answer's own: the two clocks may differ.
 *
 * @param header reads a header of the answer.
 * @returns undefined when the server does not say.
 */
export function retryAfterMs(header: (name: string) => string | null | undefined): number | undefined {
  const ms = header("retry-after-ms");
  const after = header("retry-after");
  const candidates = [
    ms ? Number(ms) : Number.NaN,
    after ? Number(after) * 1000 : Number.NaN,
    Date.parse(after ?? "") - Date.parse(header("date") ?? ""),
  ];
  const wait = candidates.find((candidate) => Number.isFinite(candidate) && candidate >= 0);
  return wait === undefined ? undefined : Math.ceil(wait);
}
