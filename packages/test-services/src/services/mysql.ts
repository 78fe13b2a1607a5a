import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createConnection, type Connection } from 'mysql2/promise'
import { serviceUrl } from '../broker.ts'
import type { ServiceSpec } from '../locate.ts'
import { freshName } from './address.ts'
import { databaseOf, type DatabaseServer } from './postgres.ts'

const run = promisify(execFile)

export const mysqlSpec: ServiceSpec = {
  name: 'mysql',
  variable: 'PLUGWORK_TEST_MYSQL_URL',
  defaultUrl: 'mysql://root@127.0.0.1:3306/test',
  async probe(url) {
    await withConnection(url, (connection) => connection.query('SELECT 1'))
  },
  binary: { names: ['mariadbd', 'mysqld'], packageName: 'mariadb-server' },
  start: (binary) => ({
    url: (port) => `mysql://root@127.0.0.1:${port}/mysql`,
    options: {
      name: 'mysql',
      users: ['mysql', 'nobody'],
      async command({ directory, port }, user) {
        const data = join(directory, 'data')
        const owner = user === null ? {} : { uid: user.uid, gid: user.gid }
        const args = [
          '--no-defaults',
          `--datadir=${data}`,
          '--auth-root-authentication-method=normal',
          '--skip-test-db',
        ]
        await run('mariadb-install-db', args, { ...owner, cwd: directory })
        return {
          command: binary,
          args: [
            '--no-defaults',
            `--datadir=${data}`,
            `--port=${port}`,
            '--bind-address=127.0.0.1',
            `--socket=${join(directory, 'socket')}`,
            `--pid-file=${join(directory, 'pid')}`,
            // Nothing here has to survive.
            '--innodb-flush-log-at-trx-commit=0',
          ],
        }
      },
    },
  }),
}

/** A MariaDB (or MySQL) server whose user may create databases. */
export async function mysql(): Promise<DatabaseServer> {
  const url = await serviceUrl(mysqlSpec)
  return {
    ...databaseOf(url),
    async createDatabase() {
      const name = freshName()
      await withConnection(url, (connection) => connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`))
      const fresh = new URL(url)
      fresh.pathname = `/${name}`
      return {
        ...databaseOf(fresh),
        async drop() {
          await withConnection(url, (connection) => connection.query(`DROP DATABASE IF EXISTS ${name}`))
        },
      }
    },
  }
}

async function withConnection(url: URL, work: (connection: Connection) => Promise<unknown>): Promise<void> {
  const connection = await createConnection({ uri: url.href, connectTimeout: 5_000 })
  try {
    await work(connection)
  } finally {
    await connection.end()
  }
}
