/** MySQL's SQL: transactions, the table of keys, batches. */
import type { Json, JsonObject } from '@plugwork/core'
import { checkUpdates, cutRuns, keyText } from '../sql/batches.ts'
import type { BatchContext, Dialect } from '../sql/session.ts'
import { mysqlFailure } from './failures.ts'
import { toBinding, toDateTime, type Binding } from './values.ts'

const OWN_TRANSACTION = /^(?:BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|XA|END)\b/
const OWN_SETTINGS =
  /^(?:SET|RESET|USE|LOCK|UNLOCK|PREPARE|EXECUTE|DEALLOCATE|HANDLER|LOAD|CHANGE|KILL|SHUTDOWN|DELIMITER)\b/
/** They commit what was before them: https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html */
const ALONE =
  /^(?:ALTER|ANALYZE|CACHE|CHECK|CREATE|DROP|FLUSH|GRANT|INSTALL|OPTIMIZE|PURGE|RENAME|REPAIR|REVOKE|STOP|TRUNCATE|UNINSTALL)\b/

/** The protocol counts the values of a statement in 16 bits. */
const MAX_VALUES = 60_000
/** An update compares each of its rows with each of its keys. */
const MAX_UPDATES = 200

const quoteName = (name: string): string => `\`${name.replaceAll('`', '``')}\``
/** A name, or `database.name`, as MySQL takes it literally. */
const quoteTable = (name: string): string => name.split('.').map(quoteName).join('.')

export const mysqlDialect: Dialect = {
  name: 'mysql',
  title: 'MySQL',
  beginRead: 'START TRANSACTION READ ONLY',
  begin: 'START TRANSACTION',
  keys: {
    exists: `SELECT 1 FROM information_schema.tables WHERE table_schema = database() AND table_name = '_plugwork_applied'`,
    create: `CREATE TABLE _plugwork_applied (\`key\` char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, result longtext CHARACTER SET utf8mb4 NOT NULL, at timestamp NOT NULL DEFAULT current_timestamp) ENGINE = InnoDB`,
    clean: 'DELETE FROM _plugwork_applied WHERE at < now() - INTERVAL 30 DAY',
    // Hashed: a key that is longer than the column would be cut without an error.
    claim: "INSERT IGNORE INTO _plugwork_applied (`key`, result) VALUES (sha2(?, 256), '')",
    store: 'UPDATE _plugwork_applied SET result = ? WHERE `key` = sha2(?, 256)',
    find: 'SELECT result FROM _plugwork_applied WHERE `key` = sha2(?, 256)',
  },
  bind: toBinding,
  refuses({ bare, verb }) {
    if (OWN_TRANSACTION.test(bare)) return 'Transactions of your own are not allowed here: use `mysql.transaction`.'
    return OWN_SETTINGS.test(bare) ? `${verb} would change the connection for whoever uses it next.` : null
  },
  standsAlone: ({ bare }) => ALONE.test(bare),
  failure: mysqlFailure,

  async batchInsert({ table, records, batchSize, onConflict }, context) {
    const name = quoteTable(table)
    const bind = await binderOf(table, context)
    let inserted = 0
    for (const { columns, rows, first } of cutRuns(records, { batchSize, maxValues: MAX_VALUES })) {
      const one = `(${columns.map(() => '?').join(', ')})`
      const values: Binding[] = []
      for (const [at, row] of rows.entries()) {
        for (const column of columns) values.push(bind(column, row[column]!, `records[${first + at}].${column}`))
      }
      const verb = onConflict === 'replace' ? 'REPLACE' : 'INSERT'
      // INSERT IGNORE would let wrong values pass too. Setting a column to itself changes nothing, and is not counted.
      const kept = quoteName(columns[0] ?? '')
      const conflict =
        onConflict === 'ignore' && columns.length > 0 ? ` ON DUPLICATE KEY UPDATE ${kept} = ${name}.${kept}` : ''
      const text = `${verb} INTO ${name} (${columns.map(quoteName).join(', ')}) VALUES ${rows.map(() => one).join(', ')}${conflict}`
      const { affected } = await context.run(text, values)
      // A replaced row counts twice.
      inserted += onConflict === 'replace' ? rows.length : affected
    }
    return inserted
  },

  async batchUpdate({ table, keyField, updates, batchSize }, context) {
    checkUpdates('mysql', updates, keyField)
    const name = quoteTable(table)
    const key = quoteName(keyField)
    const bind = await binderOf(table, context)
    let updated = 0
    const runs = cutRuns(updates, {
      batchSize: Math.min(batchSize, MAX_UPDATES),
      maxValues: MAX_VALUES / 3,
      keyOf: (row) => keyText(row[keyField]),
    })
    for (const { columns, rows, first } of runs) {
      const where = (at: number, column: string): string => `updates[${first + at}].${column}`
      const keys = rows.map((row, at) => bind(keyField, row[keyField]!, where(at, keyField)))
      const values: Binding[] = []
      const set: string[] = []
      for (const column of columns) {
        if (column === keyField) continue
        set.push(
          `${quoteName(column)} = CASE ${key} ${rows.map(() => 'WHEN ? THEN ?').join(' ')} ELSE ${quoteName(column)} END`,
        )
        for (const [at, row] of rows.entries()) values.push(keys[at]!, bind(column, row[column]!, where(at, column)))
      }
      const text = `UPDATE ${name} SET ${set.join(', ')} WHERE ${key} IN (${rows.map(() => '?').join(', ')})`
      updated += (await context.run(text, [...values, ...keys])).affected
    }
    return updated
  },
}

type Bind = (column: string, value: Json, where: string) => Binding

/** Binds a column's values: those of DATETIME and TIMESTAMP in the form that they take. */
async function binderOf(table: string, { rows }: BatchContext): Promise<Bind> {
  const parts = table.split('.')
  const found = (await rows(
    `SELECT column_name AS name FROM information_schema.columns
     WHERE table_schema = coalesce(?, database()) AND table_name = ? AND data_type IN ('datetime', 'timestamp')`,
    [parts.length > 1 ? parts[0]! : null, parts.at(-1)!],
  )) as readonly JsonObject[]
  const dated = new Set(found.map(({ name }) => String(name).toLowerCase()))
  return (column, value, where) => toBinding(dated.has(column.toLowerCase()) ? toDateTime(value) : value, where)
}
