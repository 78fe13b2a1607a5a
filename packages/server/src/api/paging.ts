/** Cursor paging: an opaque text that names the place after the last row of a page. */
import { z } from 'zod'
import { ServerError } from '../errors.ts'

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Rows of a page.'),
  cursor: z.string().optional().describe('`next_cursor` of the page before.'),
}

export const nextCursor = z.string().nullable().describe('Null on the last page.')

/** The cursor of a position. */
export function encodeCursor(position: number): string {
  return Buffer.from(`p${position}`).toString('base64url')
}

/** The position of a cursor. Throws `request_invalid`. */
export function decodeCursor(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined
  const match = /^p(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (match === null) {
    throw new ServerError('request_invalid', 'The cursor is not one that this server gave. Begin without it.')
  }
  return Number(match[1])
}

/** A page out of one row more than was asked for. */
export function pageOf<Row>(rows: readonly Row[], limit: number, position: (row: Row) => number) {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? encodeCursor(position(last)) : null }
}
