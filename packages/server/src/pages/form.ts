/** HTML forms from JSON Schema, and what was sent back as data: for approvals, without scripts. */
import type { Json, JsonObject, JsonSchema } from '@plugwork/core'
import { markup } from './html.ts'
import type { Markup } from './html.ts'

interface Field {
  readonly name: string
  readonly schema: { readonly [key: string]: unknown }
  readonly required: boolean
}

/** Prefix of field names, so that no field of an author's form collides with the page's own. */
const PREFIX = 'field.'

function fieldsOf(schema: JsonSchema): readonly Field[] {
  const { properties, required } = schema
  if (typeof properties !== 'object' || properties === null) return []
  const names = Array.isArray(required) ? required : []
  return Object.entries(properties).map(([name, field]) => ({
    name,
    schema: typeof field === 'object' && field !== null ? { ...field } : {},
    required: names.includes(name),
  }))
}

/** Inputs for the properties of an object schema. */
export function formFields(schema: JsonSchema): readonly Markup[] {
  return fieldsOf(schema).map((field) => {
    const { name, schema: spec } = field
    const title = typeof spec.title === 'string' ? spec.title : name
    const help = typeof spec.description === 'string' ? markup`<small>${spec.description}</small>` : ''
    if (spec.type === 'boolean') {
      return markup`<label class="check">${checkbox(field)} ${title}${help}</label>`
    }
    return markup`<label>${title}${field.required ? ' *' : ''}${help}${control(field)}</label>`
  })
}

function checkbox({ name, schema }: Field): Markup {
  const checked = schema.default === true ? markup` checked` : ''
  return markup`<input type="checkbox" name="${PREFIX + name}" value="true"${checked}>`
}

/** `required` is left to the server: a rejection may leave the form empty. */
function control({ name, schema }: Field): Markup {
  const id = PREFIX + name
  const preset = schema.default === undefined ? '' : shown(schema.default)
  if (Array.isArray(schema.enum)) {
    const options = schema.enum.map(
      (option: unknown) =>
        markup`<option value="${shown(option)}"${shown(option) === preset ? markup` selected` : ''}>${shown(option)}</option>`,
    )
    return markup`<select name="${id}"><option value=""></option>${options}</select>`
  }
  if (schema.type === 'integer' || schema.type === 'number') {
    return markup`<input type="number" step="${schema.type === 'integer' ? '1' : 'any'}" name="${id}" value="${preset}">`
  }
  if (schema.type === 'string' && schema.format !== 'textarea') {
    const type = schema.format === 'date' ? 'date' : schema.format === 'email' ? 'email' : 'text'
    return markup`<input type="${type}" name="${id}" value="${preset}">`
  }
  return markup`<textarea name="${id}" rows="4">${preset}</textarea>`
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The data of a sent form. Empty fields are left out; text becomes what the schema says where it reads as that. */
export function formData(schema: JsonSchema, sent: JsonObject): JsonObject {
  const data: JsonObject = {}
  for (const { name, schema: spec } of fieldsOf(schema)) {
    const value = sent[PREFIX + name]
    const text = typeof value === 'string' ? value : ''
    if (spec.type === 'boolean') data[name] = text === 'true'
    else if (text !== '') data[name] = readText(text, spec.type)
  }
  return data
}

function readText(text: string, type: unknown): Json {
  if (type === 'string') return text
  if (type === undefined || type === 'any') return text
  try {
    return JSON.parse(text) as Json
  } catch {
    // Left as text, for the validation to name.
    return text
  }
}
