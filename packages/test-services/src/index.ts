/**
 * Services that tests talk to, by the rule of `locate.ts`. One call per test file, and a fresh database or prefix each:
 *
 *     const server = await postgres()
 *     const database = await server.createDatabase()
 *     afterAll(() => database.drop())
 *
 * For a service of the test's own (one that it stops, or that is not listed here) there are `requireBinary`,
 * `startBinary` and `freePort`.
 */
export { findBinary, installPackage, requireBinary, type BinaryNeed } from './binaries.ts'
export { chromium } from './chromium.ts'
export { findUser, startBinary, type Daemon, type DaemonOptions, type DaemonPlace } from './daemon.ts'
export { freePort } from './free-port.ts'
export { locate, type Located, type LocateOptions, type ServiceSpec } from './locate.ts'
export { memcached, memcachedSpec, type MemcachedServer } from './services/memcached.ts'
export { mosquitto, mosquittoSpec, type MqttServer } from './services/mosquitto.ts'
export { mysql, mysqlSpec } from './services/mysql.ts'
export { nats, natsSpec, type NatsServer } from './services/nats.ts'
export {
  postgres,
  postgresSpec,
  type Database,
  type DatabaseServer,
  type TemporaryDatabase,
} from './services/postgres.ts'
export { rabbitmq, rabbitmqSpec, type RabbitServer } from './services/rabbitmq.ts'
export { redis, redisSpec, type RedisServer } from './services/redis.ts'
