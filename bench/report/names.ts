/** How contestants are called in all results. */
export const FLOOR = "floor";
export const ECHO = "node:http echo";
export const PARLEY = "Parley";
export const EMBEDDED = "Parley, embedded";
export const PRODUCTION = "Parley, MongoDB + Redis";
export const BARE_CALL = "bare undici";
export const DRIVER_LOOP = "MongoDB driver loop";
export const AI_SDK = "AI SDK";
export const UNOBSERVED = "without metrics, logs and ledger";
export const TRACED = "with traces";
export const AS_IT_IS = "as it is";
export const MASTRA = "Mastra + libSQL";
