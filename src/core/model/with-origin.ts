import type { CallOrigin, LanguageModel } from "./language-model.ts";

/** The model, for calls that all have this origin. */
export function withOrigin(inner: LanguageModel, origin: CallOrigin): LanguageModel {
  return {
    provider: inner.provider,
    model: inner.model,
    stream: (request, signal) => inner.stream({ ...request, origin }, signal),
  };
}
