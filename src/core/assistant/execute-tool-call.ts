import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { UserLocale } from "../context.ts";
import { deadline, orAborted } from "../deadline.ts";
import type { Logger } from "../logger.ts";
import type { RunObserver, ToolCallEnd } from "../turn-observer.ts";
import type { ToolCall } from "./step.ts";
import { type Tool, ToolError } from "./tool.ts";
import type { ToolRegistry } from "./tool-registry.ts";

/** More than this, in characters of JSON, would crowd everything else out of the model's context. */
const MAX_RESULT_CHARS = 64_000;

/** A validation error can repeat all of the arguments. */
const MAX_ERROR_CHARS = 4_000;

export interface ToolCallEnvironment {
  readonly tools: ToolRegistry;
  readonly user: UserLocale;
  /** Ends the turn: an abort rejects instead of becoming the call's error. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: Pick<RunObserver, "toolCall">;
}

/**
 * Runs one tool call. Whatever goes wrong with it (unknown tool, bad arguments, time-out, a bug in
 * the tool) becomes the call's error, for the model to see.
 */
export async function executeToolCall(call: ToolCall, env: ToolCallEnvironment): Promise<ToolCall> {
  const startedAt = env.clock.now();
  const tool = env.tools.find(call.name);
  const run = () => endOf(call, tool, env);
  const { result, error } = await env.observer.toolCall(call, tool?.name, run);
  const outcome = result === undefined ? { error: error?.slice(0, MAX_ERROR_CHARS) } : { result };
  return { ...call, ...outcome, durationMs: env.clock.now() - startedAt };
}

async function endOf(call: ToolCall, tool: Tool | undefined, env: ToolCallEnvironment): Promise<ToolCallEnd> {
  if (!tool) {
    const error = `There is no tool named ${call.name}. The tools are: ${env.tools.names.join(", ")}.`;
    return { outcome: "unknown_tool", error };
  }
  env.signal.throwIfAborted();
  const timeout = deadline(env.clock, tool.timeoutMs, () => new ToolError(timeoutText(tool)), env.signal);
  try {
    const args = parseArguments(tool, call.arguments);
    if ("error" in args) return { outcome: "invalid_arguments", error: args.error };
    const work = tool.execute(args.value, { ...env.user, signal: timeout.signal, now: env.clock.now() });
    return resultOf(await orAborted(work, timeout.signal));
  } catch (error) {
    env.signal.throwIfAborted();
    if (timeout.signal.aborted) return { outcome: "timeout", error: timeoutText(tool) };
    if (error instanceof ToolError) return { outcome: "error", error: error.message };
    env.log.error({ err: error, tool: tool.name }, "A tool failed unexpectedly");
    return {
      outcome: "fault",
      error: `${tool.name} failed because of a fault in the server; it can't be used right now.`,
    };
  } finally {
    timeout.clear();
  }
}

function parseArguments(tool: Tool, text: string): { value: unknown } | { error: string } {
  let json: unknown;
  try {
    // Some models send nothing at all for a tool whose arguments are all optional.
    json = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    return { error: `The arguments of ${tool.name} are not valid JSON. Send one JSON object.` };
  }
  const parsed = tool.schema.safeParse(json);
  if (parsed.success) return { value: parsed.data };
  return { error: `The arguments of ${tool.name} don't fit:\n${z.prettifyError(parsed.error)}` };
}

function resultOf(value: unknown): ToolCallEnd {
  const result = JSON.stringify(value ?? null);
  if (result.length <= MAX_RESULT_CHARS) return { outcome: "ok", result };
  const error = `The result has ${result.length} characters, too many to use. Ask for less.`;
  return { outcome: "error", error };
}

function timeoutText(tool: Tool): string {
  return `${tool.name} did not answer within ${tool.timeoutMs / 1000} seconds.`;
}
