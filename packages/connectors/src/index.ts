/** `@plugwork/connectors`: the connectors that come with Plugwork. */
import type { Connector } from '@plugwork/core/node'
import { airtable } from './airtable/airtable.ts'
import { file } from './file/file.ts'
import { ftp } from './ftp/ftp.ts'
import { github } from './github/github.ts'
import { http } from './http/http.ts'
import { memcached } from './memcached/memcached.ts'
import { mongodb } from './mongodb/mongodb.ts'
import { mysql } from './mysql/mysql.ts'
import { postgres } from './postgres/postgres.ts'
import { redis } from './redis/redis.ts'
import { s3 } from './s3/s3.ts'
import { sftp } from './sftp/sftp.ts'
import { slack } from './slack/slack.ts'
import { smtp } from './smtp/smtp.ts'
import { sqlite } from './sqlite/sqlite.ts'
import { ssh } from './ssh/ssh.ts'
import { telegram } from './telegram/telegram.ts'

export {
  airtable,
  file,
  ftp,
  github,
  http,
  memcached,
  mongodb,
  mysql,
  postgres,
  redis,
  s3,
  sftp,
  slack,
  smtp,
  sqlite,
  ssh,
  telegram,
}

/** Every connector of this package, for a runtime. */
export const builtinConnectors: readonly Connector[] = [
  airtable,
  file,
  ftp,
  github,
  http,
  memcached,
  mongodb,
  mysql,
  postgres,
  redis,
  s3,
  sftp,
  slack,
  smtp,
  sqlite,
  ssh,
  telegram,
]
