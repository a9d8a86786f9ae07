import { AppError } from "../core/errors.ts";
import type { LanguageModel, ModelAnswer } from "../core/model/language-model.ts";
import { modelError } from "../core/model/model-errors.ts";
import { type Attempt, type Failure, type Upstream, UpstreamError } from "./upstream.ts";

/**
 * The model behind its upstream. Replies are what it is there for; titles are made only where they are in
 * no reply's way (see {@link Upstream.spareCall}).
 */
export function resilientModel(inner: LanguageModel, upstream: Upstream): LanguageModel {
  const { provider, model } = inner;
  return {
    provider,
    model,
    async generate(request, signal) {
      const attempt: Attempt<ModelAnswer> = (attemptSignal, progress) => {
        const onText = (part: string) => {
          // An attempt that was given up has nothing more to say.
          attemptSignal.throwIfAborted();
          progress.passedOn();
          request.onText?.(part);
        };
        return inner.generate({ ...request, onText, onProgress: progress.alive }, attemptSignal);
      };
      try {
        const isTitle = request.operation === "title";
        return await (isTitle ? upstream.spareCall(signal, attempt) : upstream.call(signal, attempt));
      } catch (error) {
        throw error instanceof UpstreamError ? toModelError(error) : error;
      }
    },
  };
}

/** For the log. */
const SLOW_MODEL_CURE = "Is it only slow? Then raise MODEL_TIMEOUT_SECONDS.";

/** What a model error says of the model's upstream. */
export function classifyModelError(error: unknown): Failure {
  if (!(error instanceof AppError)) return { outcome: "unknown", retryable: false };
  const { retryAfterMs } = error;
  switch (error.meta.reason) {
    case "model_unavailable":
    case "model_interrupted":
      return { outcome: "failure", retryable: true, retryAfterMs };
    case "model_overloaded":
      return { outcome: "success", retryable: true, retryAfterMs };
    default:
      return { outcome: "success", retryable: false };
  }
}

function toModelError(error: UpstreamError): AppError {
  switch (error.problem) {
    case "bulkhead_full":
      return modelError("model_queue_full", error);
    case "breaker_open":
      return modelError("model_unavailable", error, error.retryAfterMs);
    case "timed_out":
      return modelError("model_unavailable", new Error(`${error.message}. ${SLOW_MODEL_CURE}`));
  }
}
