import { type Span, SpanKind } from "@opentelemetry/api";
import type { LanguageModel, ModelEvent, ModelMessage, ModelRequest } from "../core/model/language-model.ts";
import type { ModelCall, ModelCallObserver } from "./model-calls.ts";
import { errorType, markFailed, type Tracing } from "./tracing.ts";

type Finish = Extract<ModelEvent, { type: "finish" }>;

/**
 * The model with a span and a report for each call (OpenTelemetry's semantic conventions for generative
 * AI). What repeats calls wraps this one, so that each try is a call of its own.
 */
export function watchedModel(
  inner: LanguageModel,
  observe: ModelCallObserver,
  tracing: Tracing | undefined,
): LanguageModel {
  const { provider, model } = inner;

  async function* stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent, void, void> {
    const startedAt = performance.now();
    const span = tracing && startSpan(tracing, inner, request);
    const events = inner.stream(request, signal)[Symbol.asyncIterator]();
    const next = () => events.next();
    let status: ModelCall["status"] = "aborted";
    let firstTokenMs: number | undefined;
    let answer = "";
    let finish: Finish | undefined;
    try {
      for (;;) {
        const { done, value } = await (span && tracing ? tracing.within(span, next) : next());
        if (done) break;
        firstTokenMs ??= performance.now() - startedAt;
        if (value.type === "finish") {
          finish = value;
          status = "ok";
        }
        if (tracing?.captureContent && value.type === "text_delta") answer += value.text;
        yield value;
      }
    } catch (error) {
      if (!signal.aborted) status = "failed";
      if (span) markFailed(span, errorType(error));
      throw error;
    } finally {
      const durationMs = performance.now() - startedAt;
      const { operation, origin } = request;
      const { platform, userId } = origin ?? {};
      const usage = finish?.usage;
      observe({ provider, model, operation, platform, userId, status, usage, durationMs, firstTokenMs });
      if (span) endSpan(span, finish, tracing?.captureContent ? answer : undefined);
      // Where the consumer has left before the end.
      if (!finish) await events.return?.();
    }
  }

  return { provider, model, stream };
}

function startSpan(
  tracing: Tracing,
  { provider, model }: LanguageModel,
  { operation, origin, messages }: ModelRequest,
): Span | undefined {
  const span = tracing.startChild(`chat ${model}`, {
    kind: SpanKind.CLIENT,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": provider,
      "gen_ai.request.model": model,
      "gen_ai.output.type": "text",
      "parley.model.operation": operation,
      ...(origin && { "gen_ai.conversation.id": origin.conversationId }),
    },
  });
  if (tracing.captureContent && span) {
    span.setAttribute("gen_ai.input.messages", JSON.stringify(messages.map(toContent)));
  }
  return span;
}

function endSpan(span: Span, finish: Finish | undefined, answer: string | undefined): void {
  if (finish) {
    span.setAttribute("gen_ai.response.finish_reasons", [finish.reason]);
    const { usage } = finish;
    if (usage) {
      span.setAttributes({
        "gen_ai.usage.input_tokens": usage.inputTokens,
        "gen_ai.usage.output_tokens": usage.outputTokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cachedInputTokens,
      });
    }
  }
  if (answer) {
    const message = {
      role: "assistant",
      parts: [{ type: "text", content: answer }],
      finish_reason: finish?.reason ?? "error",
    };
    span.setAttribute("gen_ai.output.messages", JSON.stringify([message]));
  }
  span.end();
}

/** A message as gen_ai.input.messages has it. */
function toContent(message: ModelMessage) {
  const text = { type: "text", content: message.content };
  switch (message.role) {
    case "assistant": {
      const calls = message.toolCalls.map(({ id, name, arguments: args }) => {
        return { type: "tool_call", id, name, arguments: args };
      });
      return { role: message.role, parts: message.content === "" ? calls : [text, ...calls] };
    }
    case "tool":
      return {
        role: message.role,
        parts: [{ type: "tool_call_response", id: message.toolCallId, response: message.content }],
      };
    default:
      return { role: message.role, parts: [text] };
  }
}
