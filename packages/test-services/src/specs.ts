/** Every service by name. */
import type { ServiceSpec } from './locate.ts'
import { memcachedSpec } from './services/memcached.ts'
import { mosquittoSpec } from './services/mosquitto.ts'
import { mysqlSpec } from './services/mysql.ts'
import { natsSpec } from './services/nats.ts'
import { postgresSpec } from './services/postgres.ts'
import { rabbitmqSpec } from './services/rabbitmq.ts'
import { redisSpec } from './services/redis.ts'

export const SPECS: readonly ServiceSpec[] = [
  postgresSpec,
  mysqlSpec,
  redisSpec,
  rabbitmqSpec,
  mosquittoSpec,
  natsSpec,
  memcachedSpec,
]
