/**
 * Tokens of one model call, as the provider counted them: whole numbers from 0 to {@link MAX_TOKENS}.
 * What the provider does not tell is absent.
 */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Part of `inputTokens` that the provider served from its cache. */
  readonly cachedInputTokens?: number;
  /** Part of `outputTokens` that the model spent on reasoning. */
  readonly reasoningTokens?: number;
}

/** No call has so many; a provider that counts more is mistaken. */
export const MAX_TOKENS = 100_000_000;
