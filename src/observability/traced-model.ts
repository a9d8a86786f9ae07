import { SpanKind } from "@opentelemetry/api";
import type { LanguageModel, ModelAnswer, ModelMessage, ModelRequest } from "../core/model/language-model.ts";
import { errorType, markFailed, type Span, type Tracing } from "./tracing.ts";

/**
 * The model with a span for each call (OpenTelemetry's semantic conventions for generative AI). What
 * repeats calls wraps this one, so that each try is a call of its own.
 */
export function tracedModel(inner: LanguageModel, tracing: Tracing): LanguageModel {
  const { provider, model } = inner;

  async function trace(span: Span, request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer> {
    let text = "";
    const onText = (part: string) => {
      text += part;
      request.onText?.(part);
    };
    const watched = tracing.captureContent ? { ...request, onText } : request;
    let finishReason = "error";
    try {
      const answer = await tracing.within(span, () => inner.generate(watched, signal));
      finishReason = answer.finishReason;
      describeAnswer(span, answer);
      return answer;
    } catch (error) {
      markFailed(span, errorType(error));
      throw error;
    } finally {
      if (text !== "") {
        span.setAttributes({ "gen_ai.output.messages": JSON.stringify([toOutput(text, finishReason)]) });
      }
      span.end();
    }
  }

  return {
    provider,
    model,
    generate(request, signal) {
      const span = startSpan(tracing, inner, request);
      return span ? trace(span, request, signal) : inner.generate(request, signal);
    },
  };
}

function startSpan(
  tracing: Tracing,
  { provider, model }: LanguageModel,
  { operation, messages }: ModelRequest,
): Span | undefined {
  const span = tracing.startChild(`chat ${model}`, {
    kind: SpanKind.CLIENT,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": provider,
      "gen_ai.request.model": model,
      "gen_ai.conversation.id": tracing.conversationId,
      "parley.model.operation": operation,
    },
  });
  if (tracing.captureContent) {
    span?.setAttributes({ "gen_ai.input.messages": JSON.stringify(messages.map(toInput)) });
  }
  return span;
}

function describeAnswer(span: Span, { finishReason, usage }: ModelAnswer): void {
  span.setAttributes({
    "gen_ai.response.finish_reasons": [finishReason],
    "gen_ai.usage.input_tokens": usage?.inputTokens,
    "gen_ai.usage.output_tokens": usage?.outputTokens,
    "gen_ai.usage.cache_read.input_tokens": usage?.cachedInputTokens,
  });
}

/** The answer as gen_ai.output.messages has it. */
function toOutput(text: string, finishReason: string) {
  const parts = [{ type: "text", content: text }];
  return { role: "assistant", parts, finish_reason: finishReason };
}

/** A message as gen_ai.input.messages has it. */
function toInput(message: ModelMessage) {
  const { role, content } = message;
  const text = { type: "text", content };
  switch (role) {
    case "assistant": {
      const calls = message.toolCalls.map(({ id, name, arguments: args }) => {
        return { type: "tool_call", id, name, arguments: args };
      });
      return { role, parts: content === "" ? calls : [text, ...calls] };
    }
    case "tool":
      return { role, parts: [{ type: "tool_call_response", id: message.toolCallId, response: content }] };
    default:
      return { role, parts: [text] };
  }
}
