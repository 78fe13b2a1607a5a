import { sqlErrorTable } from '../sql/error-table.ts'

/** Error codes of the mysql connector. */
export const ERRORS = sqlErrorTable('mysql', 'mysql2')
