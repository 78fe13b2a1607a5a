/** `@plugwork/core/postgres`: the store, blobs and limits on PostgreSQL. An entry of its own: most processes need none of it. */
export { createPostgresLimitStore, type PostgresLimitStoreOptions } from './action/postgres-limit-store.ts'
export { POSTGRES_SCHEMA_VERSION } from './store/postgres/migrations.ts'
export {
  inspectPostgres,
  migratePostgres,
  openPostgresStore,
  type PostgresStore,
  type PostgresStoreOptions,
} from './store/postgres/postgres-store.ts'
