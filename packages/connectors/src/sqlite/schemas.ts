/** Shapes of the sqlite connector: what a connection is configured with, what its actions take and answer. */
import { parseDuration } from '@plugwork/core'
import { z } from 'zod'
import { sqlSchemas, sqlValue } from '../sql/schemas.ts'

const timeout = z.union([z.number().nonnegative(), z.string()]).refine((value) => {
  const ms = parseDuration(value)
  return ms !== null && ms <= 600_000
}, 'must be a duration of at most 10 minutes, such as 5s, or a number of seconds')

export const sqliteConfig = z.strictObject({
  database: z
    .string()
    .min(1)
    .describe('Path of the file, inside the project folder, or `:memory:`. Its folder is made where it is missing.'),
  read_only: z.boolean().default(false).describe('Refuses every write.'),
  timeout: timeout.default(5).describe('How long a lock of another process is waited for: `5s`, or seconds.'),
  journal_mode: z
    .enum(['wal', 'delete', 'truncate', 'persist', 'memory'])
    .optional()
    .describe("Sets the file's journal mode. `wal` lets others read while one writes. Default: as the file is."),
  exactly_once: z
    .boolean()
    .default(true)
    .describe(
      'Writes leave their idempotency key in the table `_plugwork_applied`, so that a repeated attempt does nothing.',
    ),
  pragmas: z
    .strictObject({
      foreign_keys: z.boolean().optional(),
      recursive_triggers: z.boolean().optional(),
      synchronous: z.enum(['normal', 'full', 'extra']).optional(),
      cache_size: z.int().optional(),
      mmap_size: z.int().nonnegative().optional(),
      temp_store: z.enum(['default', 'file', 'memory']).optional(),
      wal_autocheckpoint: z.int().nonnegative().optional(),
      secure_delete: z.boolean().optional(),
    })
    .default({})
    .describe('Settings of SQLite; `foreign_keys` is on unless turned off here.'),
})

export type SqliteConfig = z.output<typeof sqliteConfig>

export const schemas = sqlSchemas({
  params: z
    .union([z.array(sqlValue), z.record(z.string(), sqlValue)])
    .optional()
    .describe('Values of `?` in order, or of `:name` by name. Expressions in the text need none: they are bound.'),
  table: 'Name of the table.',
  lastInsertId: 'Row id of the last row inserted; null for other statements.',
})
