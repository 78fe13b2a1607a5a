/** Numbered schema changes of both databases; a new one goes to the end of its list, an old one never changes. */
import { CONNECTION_TABLES, type ConnectionTable } from './connection-store.ts'

export const SQLITE_MIGRATIONS: readonly string[] = [
  CONNECTION_TABLES.map((table) =>
    firstTable((name) => name, table, { number: 'INTEGER', options: ' WITHOUT ROWID' }),
  ).join('\n'),
]

/** `qualify` puts a name into the schema. */
export const POSTGRES_MIGRATIONS: readonly ((qualify: (name: string) => string) => string)[] = [
  (qualify) =>
    CONNECTION_TABLES.map((table) => firstTable(qualify, table, { number: 'bigint', options: '' })).join('\n'),
]

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
