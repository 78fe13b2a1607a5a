import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { serviceUrl } from '../broker.ts'
import type { ServiceSpec } from '../locate.ts'
import { addressOf, freshName, type ServiceAddress } from './address.ts'

export interface Database extends ServiceAddress {
  readonly user: string
  readonly password: string
  readonly database: string
}

export interface TemporaryDatabase extends Database {
  /** Removes it, connections that are still open included. */
  drop(): Promise<void>
}

export interface DatabaseServer extends Database {
  /** A new empty database; one per test file. */
  createDatabase(): Promise<TemporaryDatabase>
}

const run = promisify(execFile)

/** `initdb` and `postgres` are beside each other; `bin` is the folder of a version. */
export const postgresSpec: ServiceSpec = {
  name: 'postgres',
  variable: 'PLUGWORK_TEST_POSTGRES_URL',
  defaultUrl: 'postgres://postgres@127.0.0.1:5432/test',
  async probe(url) {
    await withClient(url.href, (client) => client.query('SELECT 1'))
  },
  binary: { names: ['postgres'], packageName: 'postgresql', folders: ['/usr/lib/postgresql/*/bin'] },
  start: (binary) => ({
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    options: {
      name: 'postgres',
      // It refuses to run as root.
      users: ['postgres', 'nobody'],
      async command({ directory, port }, user) {
        const data = join(directory, 'data')
        const owner = user === null ? {} : { uid: user.uid, gid: user.gid }
        const args = ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
        await run(join(binary, '../initdb'), args, { ...owner, cwd: directory })
        return {
          command: binary,
          // Nothing here has to survive; `max_connections` for test files side by side.
          args: ['-D', data, '-p', `${port}`, '-h', '127.0.0.1', '-k', directory, '-F', '-c', 'max_connections=200'],
          // The fast shutdown: clients are disconnected.
          stopSignal: 'SIGINT',
        }
      },
    },
  }),
}

/** A PostgreSQL server whose user may create databases. */
export async function postgres(): Promise<DatabaseServer> {
  const url = await serviceUrl(postgresSpec)
  return {
    ...databaseOf(url),
    async createDatabase() {
      const name = freshName()
      await withClient(url.href, (client) => client.query(`CREATE DATABASE ${name}`))
      const fresh = new URL(url)
      fresh.pathname = `/${name}`
      return {
        ...databaseOf(fresh),
        async drop() {
          await withClient(url.href, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
        },
      }
    },
  }
}

export function databaseOf(url: URL): Database {
  return {
    ...addressOf(url),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  }
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  // A dropped database ends its connections; the one who asked is told by the query.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
