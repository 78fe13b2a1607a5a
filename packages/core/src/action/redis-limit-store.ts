import type { LimitAnswer, LimitStore, TakeRequest } from './limit-store.ts'
import type { RedisCommands } from './redis.ts'

export interface RedisLimitStoreOptions {
  readonly redis: RedisCommands
  /** Beginning of every key. Default `plugwork:limit:`. */
  readonly prefix?: string
  /** Replaces the server's clock (tests); epoch ms. */
  readonly now?: () => number
}

/**
 * A bucket is a hash of two times in milliseconds, gone by itself when it is full. Numbers are written with 17 digits:
 * Redis cuts those that a script answers down to integers.
 */
const CLOCK = `
local now = tonumber(ARGV[1])
if now == nil then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
end
local stored = redis.call('HMGET', KEYS[1], 'full', 'paused')
local full = tonumber(stored[1]) or 0
local paused = tonumber(stored[2]) or 0
local function keep()
  redis.call('HSET', KEYS[1], 'full', string.format('%.17g', full), 'paused', string.format('%.17g', paused))
  redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil(math.max(full, paused) - now)))
end
`
const TAKE = `${CLOCK}
local interval = tonumber(ARGV[2])
local nextFull = math.max(full, now, paused) + tonumber(ARGV[3]) * interval
local wait = math.max(0, paused - now, nextFull - tonumber(ARGV[4]) * interval - now)
if wait > tonumber(ARGV[5]) then return { 0, string.format('%.17g', wait) } end
full = nextFull
keep()
return { 1, string.format('%.17g', wait) }
`
const PAUSE = `${CLOCK}
paused = math.max(paused, now + tonumber(ARGV[2]))
keep()
return 1
`

/** Buckets shared by all processes on one Redis; each call is one script, which Redis runs as a whole. */
export function createRedisLimitStore(options: RedisLimitStoreOptions): LimitStore {
  const { redis, prefix = 'plugwork:limit:' } = options
  const now = (): string => (options.now === undefined ? '' : String(options.now()))
  return {
    async take({ key, rule, cost, maxWaitMs }: TakeRequest): Promise<LimitAnswer> {
      const interval = rule.perMs / rule.requests
      const answer = (await redis.eval(TAKE, 1, prefix + key, now(), interval, cost, rule.burst, maxWaitMs)) as [
        number,
        string,
      ]
      return { taken: answer[0] === 1, waitMs: Number(answer[1]) }
    },
    async pause(key, ms) {
      await redis.eval(PAUSE, 1, prefix + key, now(), ms)
    },
  }
}
