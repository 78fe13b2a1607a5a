import { expect, test } from 'vitest'
import { formData, formFields } from './form.ts'

const schema = {
  type: 'object',
  required: ['amount'],
  properties: {
    amount: { type: 'integer', title: 'Amount <b>' },
    urgent: { type: 'boolean' },
    colour: { enum: ['red', 'blue'], default: 'blue' },
    note: { type: 'string', description: '"quoted"' },
    tags: { type: 'array' },
  },
}

test('fields are escaped and of the kind of their type', () => {
  const html = formFields(schema)
    .map((field) => field.html)
    .join('')
  expect(html).toContain('Amount &lt;b&gt; *')
  expect(html).toContain('type="number" step="1" name="field.amount"')
  expect(html).toContain('type="checkbox" name="field.urgent"')
  expect(html).toContain('<option value="blue" selected>blue</option>')
  expect(html).toContain('&quot;quoted&quot;')
  expect(html).not.toContain('<b>')
})

test('what was sent becomes data of the declared types', () => {
  const sent = {
    'field.amount': '12',
    'field.urgent': 'true',
    'field.note': '7',
    'field.tags': '["a"]',
    decision: 'approve',
    extra: 'x',
  }
  expect(formData(schema, sent)).toEqual({ amount: 12, urgent: true, note: '7', tags: ['a'] })
})

test('empty fields are left out, an unticked box is false', () => {
  expect(formData(schema, { 'field.amount': '', 'field.note': '' })).toEqual({ urgent: false })
})
