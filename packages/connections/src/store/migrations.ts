/** Numbered schema changes of both databases; a new one goes to the end of its list, an old one never changes. */
import type { ConnectionTable } from './connection-store.ts'

const FIRST: readonly ConnectionTable[] = ['connections', 'data_keys', 'auth_states', 'workflows']
const OF_WEBHOOKS: readonly ConnectionTable[] = ['webhook_endpoints', 'events']

export const SQLITE_MIGRATIONS: readonly string[] = [
  sqliteTables(FIRST, ' WITHOUT ROWID'),
  // Events are large rows, which belong behind a short key.
  `${sqliteTables(OF_WEBHOOKS, '')}\nCREATE INDEX events_by_state ON events (kind, due);`,
]

type Qualify = (name: string) => string

/** `qualify` puts a name into the schema. */
export const POSTGRES_MIGRATIONS: readonly ((qualify: Qualify) => string)[] = [
  (qualify) => postgresTables(qualify, FIRST),
  (qualify) =>
    `${postgresTables(qualify, OF_WEBHOOKS)}\nCREATE INDEX events_by_state ON ${qualify('events')} (kind, due);`,
]

function sqliteTables(tables: readonly ConnectionTable[], options: string): string {
  return tables.map((table) => firstTable((name) => name, table, { number: 'INTEGER', options })).join('\n')
}

function postgresTables(qualify: Qualify, tables: readonly ConnectionTable[]): string {
  return tables.map((table) => firstTable(qualify, table, { number: 'bigint', options: '' })).join('\n')
}

function firstTable(
  qualify: (name: string) => string,
  table: ConnectionTable,
  { number, options }: { readonly number: string; readonly options: string },
): string {
  const name = qualify(table)
  return `
    CREATE TABLE ${name} (
      id text PRIMARY KEY NOT NULL,
      tenant text NOT NULL,
      owner text,
      kind text,
      name text,
      slot text UNIQUE,
      due ${number},
      version ${number} NOT NULL,
      data text NOT NULL
    )${options};
    CREATE INDEX ${table}_by_tenant ON ${name} (tenant, owner, kind, id);
    CREATE INDEX ${table}_by_due ON ${name} (due) WHERE due IS NOT NULL;`
}
