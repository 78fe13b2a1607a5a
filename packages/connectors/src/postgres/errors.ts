import { sqlErrorTable } from '../sql/error-table.ts'

/** Error codes of the postgres connector. */
export const ERRORS = sqlErrorTable('postgres', 'pg')
