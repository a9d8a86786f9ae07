export { RedisCache } from "./cache.ts";
export { RedisClient, type RedisServers } from "./client.ts";
export { RedisRateLimiter } from "./rate-limiter.ts";
export { RedisSessionStore } from "./session-store.ts";
