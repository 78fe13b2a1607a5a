/** Shapes of Airtable's Web API. airtable.com/developers/web/api */
import { z } from 'zod'

const text = z.string()

/** Cells by field: what a field holds depends on its type (airtable.com/developers/web/api/field-model); empty cells are left out. */
export const fields = z.record(z.string(), z.unknown())

export const record = z.object({
  id: text.describe('`rec…`.'),
  createdTime: text.describe('ISO 8601.'),
  fields,
})

export const deleted = z.object({ id: text, deleted: z.literal(true) })

export const base = z.object({ id: text.describe('`app…`.'), name: text, permissionLevel: text })

export const table = z.object({
  id: text.describe('`tbl…`.'),
  name: text,
  description: text.optional(),
  primaryFieldId: text,
  fields: z.array(
    z.object({
      id: text,
      name: text,
      type: text,
      description: text.optional(),
      options: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
  views: z.array(z.object({ id: text, name: text, type: text })),
})

export const inTable = {
  base: z
    .string()
    .regex(/^app\w+$/, 'must be the id of a base, such as appLkNDICXNqxSDhG')
    .describe('Id of the base (`app…`).'),
  table: z.string().min(1).describe('Id (`tbl…`) or name of the table. The id stays when the name changes.'),
}

export const recordId = z
  .string()
  .regex(/^rec\w+$/, 'must be the id of a record, such as rec560UJdUtocSouk')
  .describe('Id of the record (`rec…`).')

export const writing = {
  typecast: z.boolean().optional().describe('Let Airtable convert text into what a field holds. Default: false.'),
  fields_by_id: z.boolean().optional().describe('Answer with ids of fields instead of names. Default: false.'),
}

/** Which records, and what of them. */
export const selection = {
  view: z.string().optional().describe('Id or name of a view: only its records, in its order.'),
  formula: z.string().optional().describe('Only records for which this formula is true: `{Status} = "Open"`.'),
  fields: z.array(z.string()).optional().describe('Only these fields.'),
  sort: z
    .array(z.strictObject({ field: z.string(), direction: z.enum(['asc', 'desc']).optional() }))
    .optional()
    .describe('Default: the order of the view, or none.'),
  fields_by_id: writing.fields_by_id,
}

export const nextCursor = z.string().nullable().describe('For `cursor` of the next call; null on the last page.')
