import type { CallOutcome } from "../model/call-recorder.ts";
import type { LanguageModel, ModelEvent } from "../model/language-model.ts";
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
    async *stream(request, signal): AsyncGenerator<ModelEvent> {
      const call = await request.calls?.begin();
      let outcome: CallOutcome = "unsent";
      let usage: TokenUsage | undefined;
      try {
        signal.throwIfAborted();
        outcome = "aborted";
        let isFirst = true;
        for await (const event of inner.stream(request, signal)) {
          if (isFirst) call?.answered();
          isFirst = false;
          if (event.type === "finish") {
            outcome = "ok";
            usage = event.usage;
          }
          yield event;
        }
      } catch (error) {
        if (!signal.aborted) outcome = "failed";
        throw error;
      } finally {
        call?.end(outcome, usage);
      }
    },
  };
}
