import type { CallOutcome } from "../model/call-recorder.ts";
import type { LanguageModel } from "../model/language-model.ts";
import type { TokenUsage } from "../model/usage.ts";

/**
 * A model whose calls are taken down by each request's recorder. What repeats calls wraps this one, so
 * that each try is a call of its own.
 */
export function metered(inner: LanguageModel): LanguageModel {
  const { provider, model } = inner;
  return {
    provider,
    model,
    async generate(request, signal) {
      const begun = request.calls?.begin();
      const call = begun instanceof Promise ? await begun : begun;
      let outcome: CallOutcome = "unsent";
      let usage: TokenUsage | undefined;
      /** Whether the reader threw the last text back. */
      let isRefused = false;
      const onText = (part: string) => {
        call?.answered();
        isRefused = true;
        request.onText?.(part);
        isRefused = false;
      };
      try {
        signal.throwIfAborted();
        outcome = "aborted";
        const answer = await inner.generate({ ...request, onText }, signal);
        call?.answered();
        outcome = "ok";
        usage = answer.usage;
        return answer;
      } catch (error) {
        if (!signal.aborted && !isRefused) outcome = "failed";
        throw error;
      } finally {
        call?.end(outcome, usage);
      }
    },
  };
}
