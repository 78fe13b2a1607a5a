/**
 * One open database and what is done with it; runs in the worker. Writes are transactions of their own, and with a key
 * they are done exactly once: the key and the result are stored in the same transaction as the effect.
 */
import { constants, DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Json } from '@plugwork/core'
import { appliedKey, type Operation, type Row, type Statement } from '../sql/operation.ts'
import { setOwn, uniqueNames } from '../sql/rows.ts'
import { Failure, type SessionOptions } from './protocol.ts'
import { hasStatement, inspectSql, isVacuum, quoteName, type StatementText } from './sql-text.ts'
import { fromColumn, toBinding, type Binding } from './values.ts'

const MAX_CACHED_STATEMENTS = 200
/** Of all rows that one operation answers. */
const MAX_RESULT_CHARACTERS = 32 * 1024 * 1024
/** Rows that the statements of one write may return. */
const MAX_RETURNED_ROWS = 100_000
/** A text or blob that SQLite handles at all; its own limit is 1 GB. UTF-8 takes up to three bytes a character. */
const MAX_CELL_BYTES = 3 * MAX_RESULT_CHARACTERS
const ROWS_BETWEEN_CHECKS = 64
/** A repeated attempt comes within minutes or days; a key is kept for this long. */
const KEEP_KEYS_MS = 30 * 86_400_000

const READ_PRAGMAS: ReadonlySet<string> = new Set([
  'collation_list',
  'compile_options',
  'database_list',
  'foreign_key_check',
  'foreign_key_list',
  'function_list',
  'index_info',
  'index_list',
  'index_xinfo',
  'integrity_check',
  'page_count',
  'page_size',
  'quick_check',
  'table_info',
  'table_list',
  'table_xinfo',
  'user_version',
])
const COUNTED: ReadonlySet<string> = new Set(['INSERT', 'REPLACE', 'UPDATE', 'DELETE'])
interface Prepared {
  readonly statement: StatementSync
  readonly text: StatementText
  readonly columns: readonly string[]
}

interface StatementResult {
  readonly rows: Row[]
  readonly row_count: number
  readonly rows_affected: number
  readonly last_insert_id: Json
}

export class Session {
  readonly #db: DatabaseSync
  readonly #interrupted: () => boolean
  readonly #now: () => number
  readonly #cache = new Map<string, Prepared>()
  /** True while a statement of this file runs: the authorizer is for those of others. */
  #own = true
  #queryOnly = false
  #hasKeyTable = false
  /** What the operation under way has to answer so far. */
  #resultRows = 0
  #resultCharacters = 0

  constructor(options: SessionOptions, interrupted: () => boolean, now: () => number) {
    this.#interrupted = interrupted
    this.#now = now
    this.#db = new DatabaseSync(options.file, {
      readOnly: options.readOnly,
      timeout: options.busyMs,
      allowExtension: false,
      enableForeignKeyConstraints: true,
      enableDoubleQuotedStringLiterals: false,
      limits: { length: MAX_CELL_BYTES },
    })
    this.#db.enableDefensive(true)
    if (options.journalMode !== null) this.#db.exec(`PRAGMA journal_mode = ${options.journalMode}`)
    for (const [name, value] of Object.entries(options.pragmas)) {
      this.#db.exec(`PRAGMA ${name} = ${typeof value === 'boolean' ? Number(value) : value}`)
    }
    // Reads the file: what is no database is found out now.
    this.#db.exec('SELECT count(*) FROM sqlite_schema')
    this.#db.setAuthorizer((action, first, second) => this.#authorize(action, first, second))
  }

  close(): void {
    this.#db.close()
  }

  run(operation: Operation, key: string | null): Json {
    this.#resultRows = 0
    this.#resultCharacters = 0
    switch (operation.kind) {
      case 'query':
        return this.#query(operation.statement, operation.maxRows)
      case 'execute':
        return this.#execute(operation, key)
      case 'transaction':
        return this.#write(operation, key, () => this.#transaction(operation.statements))
      case 'batch_insert':
        return this.#write(operation, key, () => this.#batchInsert(operation))
      case 'batch_update':
        return this.#write(operation, key, () => this.#batchUpdate(operation))
    }
  }

  /** The stored result of a write with this key; null when there is none. */
  find(operation: Operation, key: string): Json {
    return this.#ownWork(() => (this.#keyTableExists() ? this.#stored(appliedKey(key, operation)) : null)) ?? null
  }

  #query(statement: Statement, maxRows: number): Json {
    this.#setQueryOnly(true)
    const prepared = this.#prepare(statement.text)
    if (prepared.columns.length === 0) {
      throw new Failure(
        'sqlite_read_only',
        '`sqlite.query` only reads, and this statement has no rows: use `sqlite.execute`.',
      )
    }
    const rows = this.#rows(prepared, statement, maxRows)
    return { rows, row_count: rows.length }
  }

  #execute(operation: Extract<Operation, { kind: 'execute' }>, key: string | null): Json {
    const { statement } = operation
    if (!isVacuum(statement.text)) return this.#write(operation, key, () => this.#runStatement(statement))
    // Begins a transaction of its own, and doing it twice changes nothing.
    this.#setQueryOnly(false)
    this.#ownWork(() => this.#db.exec('VACUUM'))
    return { rows: [], row_count: 0, rows_affected: 0, last_insert_id: null }
  }

  #transaction(statements: readonly Statement[]): Json {
    const results = statements.map((statement) => this.#runStatement(statement))
    return {
      results: results.map((result) => ({ ...result })),
      rows_affected: results.reduce((sum, { rows_affected }) => sum + rows_affected, 0),
      last_insert_id: results.findLast(({ last_insert_id }) => last_insert_id !== null)?.last_insert_id ?? null,
    }
  }

  #batchInsert({ table, records, batchSize, onConflict }: Extract<Operation, { kind: 'batch_insert' }>): Json {
    const verb = onConflict === 'error' ? 'INSERT' : onConflict === 'ignore' ? 'INSERT OR IGNORE' : 'INSERT OR REPLACE'
    const inserted = this.#each(records, batchSize, 'records', (record, where) => {
      const columns = Object.keys(record)
      const sql =
        columns.length === 0
          ? `${verb} INTO ${quoteName(table)} DEFAULT VALUES`
          : `${verb} INTO ${quoteName(table)} (${columns.map(quoteName).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`
      return { sql, values: columns.map((column) => toBinding(record[column]!, `${where}.${column}`)) }
    })
    return { inserted_count: inserted, batches: Math.ceil(records.length / batchSize) }
  }

  #batchUpdate({ table, keyField, updates, batchSize }: Extract<Operation, { kind: 'batch_update' }>): Json {
    const updated = this.#each(updates, batchSize, 'updates', (update, where) => {
      const columns = Object.keys(update).filter((column) => column !== keyField)
      if (!Object.hasOwn(update, keyField) || columns.length === 0) {
        const lacks = columns.length === 0 ? 'no column to change' : `no \`${keyField}\`, the key_field`
        throw new Failure('sqlite_params', `${where} has ${lacks}.`)
      }
      const set = columns.map((column) => `${quoteName(column)} = ?`).join(', ')
      return {
        sql: `UPDATE ${quoteName(table)} SET ${set} WHERE ${quoteName(keyField)} = ?`,
        values: [...columns, keyField].map((column) => toBinding(update[column]!, `${where}.${column}`)),
      }
    })
    return { updated_count: updated, batches: Math.ceil(updates.length / batchSize) }
  }

  /** Runs one prepared statement per row; rows with the same columns share it. Answers how many rows were changed. */
  #each(
    rows: readonly Row[],
    batchSize: number,
    name: string,
    build: (row: Row, where: string) => { readonly sql: string; readonly values: readonly Binding[] },
  ): number {
    let changed = 0
    for (const [index, row] of rows.entries()) {
      if (index % Math.min(batchSize, ROWS_BETWEEN_CHECKS) === 0) this.#check()
      const { sql, values } = build(row, `${name}[${index}]`)
      changed += Number(this.#prepare(sql).statement.run(...values).changes)
    }
    return changed
  }

  #write(operation: Operation, key: string | null, effect: () => Json | StatementResult): Json {
    this.#setQueryOnly(false)
    const storedKey = key === null ? null : appliedKey(key, operation)
    this.#ownWork(() => this.#statement('BEGIN IMMEDIATE').run())
    try {
      const earlier = storedKey === null ? undefined : this.#ownWork(() => this.#openKeyTable(storedKey))
      if (earlier !== undefined) {
        this.#ownWork(() => this.#statement('ROLLBACK').run())
        return earlier
      }
      const result = effect() as Json
      if (storedKey !== null) {
        const text = JSON.stringify(result)
        this.#ownWork(() => this.#statement(INSERT_KEY).run(storedKey, text, BigInt(this.#now())))
      }
      this.#check()
      this.#ownWork(() => this.#statement('COMMIT').run())
      this.#hasKeyTable ||= storedKey !== null
      return result
    } catch (error) {
      // Some errors (a full disk, RAISE(ROLLBACK)) have ended the transaction already.
      if (this.#db.isTransaction) this.#ownWork(() => this.#statement('ROLLBACK').run())
      throw error
    }
  }

  /** Makes the table of keys where it is missing, and answers what is stored for this one. */
  #openKeyTable(storedKey: string): Json | undefined {
    if (!this.#hasKeyTable) {
      this.#db.exec(CREATE_KEYS)
      this.#statement('DELETE FROM main._plugwork_applied WHERE at < ?').run(BigInt(this.#now() - KEEP_KEYS_MS))
    }
    return this.#stored(storedKey)
  }

  #stored(storedKey: string): Json | undefined {
    const row = this.#statement('SELECT result FROM main._plugwork_applied WHERE key = ?').get(storedKey)
    return row === undefined ? undefined : (JSON.parse(String(row['result'])) as Json)
  }

  #keyTableExists(): boolean {
    this.#hasKeyTable ||=
      this.#statement("SELECT 1 FROM main.sqlite_schema WHERE name = '_plugwork_applied'").get() !== undefined
    return this.#hasKeyTable
  }

  #runStatement(statement: Statement): StatementResult {
    this.#check()
    const prepared = this.#prepare(statement.text)
    const counted = COUNTED.has(prepared.text.verb)
    const rows = prepared.columns.length === 0 ? [] : this.#rows(prepared, statement, MAX_RETURNED_ROWS)
    if (prepared.columns.length === 0) prepared.statement.run(...bindings(prepared.text, statement))
    const { changed, id } = this.#ownWork(() => this.#statement(COUNTS).get()) as { changed: bigint; id: bigint }
    const inserted = counted && changed > 0n && /^(INSERT|REPLACE)$/.test(prepared.text.verb)
    return {
      rows,
      row_count: rows.length,
      rows_affected: counted ? Number(changed) : 0,
      last_insert_id: inserted ? fromColumn(id) : null,
    }
  }

  #rows(prepared: Prepared, statement: Statement, maxRows: number): Row[] {
    const rows: Row[] = []
    for (const values of prepared.statement.iterate(...bindings(prepared.text, statement))) {
      if (rows.length % ROWS_BETWEEN_CHECKS === 0) this.#check()
      if (this.#resultRows >= maxRows) throw tooManyRows(prepared.text, maxRows)
      this.#resultRows += 1
      const row: Row = {}
      for (const [index, column] of prepared.columns.entries()) {
        const value = fromColumn((values as unknown as unknown[])[index])
        this.#resultCharacters += column.length + lengthOf(value)
        setOwn(row, column, value)
      }
      if (this.#resultCharacters > MAX_RESULT_CHARACTERS) {
        throw new Failure(
          'sqlite_too_large',
          'The rows are together larger than 32 MiB. Read fewer columns, or in pages.',
        )
      }
      rows.push(row)
    }
    return rows
  }

  #prepare(sql: string): Prepared {
    const cached = this.#cache.get(sql)
    if (cached !== undefined) {
      // Moved to the end: the first one is the one longest unused.
      this.#cache.delete(sql)
      this.#cache.set(sql, cached)
      return cached
    }
    if (!hasStatement(sql)) throw new Failure('sqlite_sql', 'The statement is empty.')
    const statement = this.#db.prepare(sql)
    if (hasStatement(sql.slice(statement.sourceSQL.length))) {
      throw new Failure(
        'sqlite_sql',
        'There is more than one statement in the text. Use `sqlite.transaction` for several.',
      )
    }
    statement.setReadBigInts(true)
    const columns = uniqueNames(statement.columns().map(({ name }) => name))
    if (columns.length > 0) statement.setReturnArrays(true)
    const prepared = { statement, text: inspectSql(sql), columns }
    this.#cache.set(sql, prepared)
    if (this.#cache.size > MAX_CACHED_STATEMENTS) this.#cache.delete(this.#cache.keys().next().value!)
    return prepared
  }

  /** A prepared statement of this file. */
  #statement(sql: string): StatementSync {
    const key = `own:${sql}`
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached.statement
    const statement = this.#db.prepare(sql)
    statement.setReadBigInts(true)
    this.#cache.set(key, { statement, text: { verb: '', positional: 0, named: [] }, columns: [] })
    return statement
  }

  #ownWork<T>(work: () => T): T {
    const before = this.#own
    this.#own = true
    try {
      return work()
    } finally {
      this.#own = before
    }
  }

  #setQueryOnly(value: boolean): void {
    this.#own = false
    if (this.#queryOnly === value) return
    this.#ownWork(() => this.#db.exec(`PRAGMA query_only = ${Number(value)}`))
    this.#queryOnly = value
  }

  #check(): void {
    if (this.#interrupted()) throw new Failure('sqlite_aborted', 'The statement was interrupted and rolled back.')
  }

  #authorize(action: number, first: string | null, second: string | null): number {
    if (this.#own) return constants.SQLITE_OK
    switch (action) {
      case constants.SQLITE_PRAGMA:
        return READ_PRAGMAS.has(first ?? '') && !(first === 'user_version' && second !== null)
          ? constants.SQLITE_OK
          : constants.SQLITE_DENY
      // Also what VACUUM INTO does with its file.
      case constants.SQLITE_ATTACH:
      case constants.SQLITE_DETACH:
      case constants.SQLITE_TRANSACTION:
      case constants.SQLITE_SAVEPOINT:
        return constants.SQLITE_DENY
      default:
        return constants.SQLITE_OK
    }
  }
}

const CREATE_KEYS =
  'CREATE TABLE IF NOT EXISTS main._plugwork_applied (key TEXT PRIMARY KEY, result TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID'
const INSERT_KEY = 'INSERT INTO main._plugwork_applied (key, result, at) VALUES (?, ?, ?)'
const COUNTS = 'SELECT changes() AS changed, last_insert_rowid() AS id'

/** The parameters in the form of `node:sqlite`; a missing one would silently be null. */
function bindings(text: StatementText, { params }: Statement): Binding[] {
  if (Array.isArray(params)) {
    const expected = text.positional === 0 ? text.named.length : text.positional
    if (expected !== params.length) {
      throw new Failure(
        'sqlite_params',
        `The statement has ${expected} parameters, and ${params.length} values were given.`,
      )
    }
    return params.map((value: Json, index) => toBinding(value, `Parameter ${index + 1}`))
  }
  const given = params as { readonly [name: string]: Json }
  const missing = text.named.find((name) => !Object.hasOwn(given, name))
  if (missing !== undefined || text.positional > 0) {
    throw new Failure(
      'sqlite_params',
      missing === undefined
        ? 'The statement has ? parameters, and values by name were given; give a list.'
        : `The statement has a parameter :${missing}, and no value of this name was given.`,
    )
  }
  const named = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, toBinding(value, `Parameter :${name}`)]),
  )
  return [named as unknown as Binding]
}

function tooManyRows({ verb }: StatementText, maxRows: number): Failure {
  const remedy = COUNTED.has(verb)
    ? 'Return fewer columns and rows, or leave RETURNING out; nothing was written.'
    : 'Add LIMIT (and read in pages by key), or raise max_rows.'
  return new Failure('sqlite_too_many_rows', `There are more than ${maxRows} rows. ${remedy}`)
}

function lengthOf(value: Json): number {
  if (typeof value === 'string') return value.length
  return typeof value === 'object' && value !== null ? (value as { base64: string }).base64.length : 8
}
