import type { ActionCache } from './cache.ts'
import type { RedisCommands } from './redis.ts'

export interface RedisCacheOptions {
  readonly redis: RedisCommands
  /** Beginning of every key. Default `plugwork:cache:`. */
  readonly prefix?: string
}

/** A cache shared by all processes on one Redis, which forgets by itself (set `maxmemory` there to bound it). */
export function createRedisCache({ redis, prefix = 'plugwork:cache:' }: RedisCacheOptions): ActionCache {
  return {
    get: (key) => redis.get(prefix + key),
    async set(key, text, ttlMs) {
      await redis.set(prefix + key, text, 'PX', Math.max(1, Math.round(ttlMs)))
    },
  }
}
