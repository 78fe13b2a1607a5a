/** What the values of database servers have in common on their way to JSON: nothing is rounded. */
import type { Json } from '@plugwork/core'

/** A decimal number as a number where a double holds every digit of it (15), else as its text. */
export function exactDecimal(text: string): number | string {
  const digits = text.replace(/^[-+]?0*|\.|[eE].*$/g, '').replace(/^0+/, '')
  if (digits.length > 15) return exactInteger(text)
  const number = Number(text)
  return Number.isFinite(number) ? number : text
}

/** An integer as a number where a number holds it (up to 2^53), else as its text. */
export function exactInteger(text: string): number | string {
  const number = Number(text)
  return Number.isSafeInteger(number) && String(number) === text ? number : text
}

/** A floating point number; those that JSON has no number for as text. */
export function finiteNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

/** JSON as the database has it; numbers in it that would be rounded are their text. */
export function exactJson(text: string): Json {
  if (!/\d{16}/.test(text)) return JSON.parse(text) as Json
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === 'number' && context?.source !== undefined ? exactDecimal(context.source) : value,
  ) as Json
}

export const blob = (bytes: Uint8Array): Json => ({
  base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
})

/** `{ base64 }`: bytes. */
export function isBlob(value: Json | undefined): value is { base64: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    typeof value['base64'] === 'string' &&
    Object.keys(value).length === 1
  )
}
