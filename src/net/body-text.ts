/**
 * The text that a body begins with, for what is only to be looked at. A body that breaks off has told what
 * it had to.
 *
 * @param maxLength in UTF-16 code units.
 */
export async function beginningOf(body: AsyncIterable<Uint8Array>, maxLength: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const part of body) {
      text += decoder.decode(part, { stream: true });
      if (text.length >= maxLength) break;
    }
  } catch {
    // Whoever aborted it knows.
  }
  return text.slice(0, maxLength);
}
