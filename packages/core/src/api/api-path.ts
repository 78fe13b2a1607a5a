import { PlugworkError } from '../error.ts'

/** A path below the base URL, encoded. Made by the tag `path`. */
export interface ApiPath {
  readonly encoded: string
}

/**
 * Tag for paths below the base URL: `` path`/repos/${owner}/${repo}/issues` ``. Each value is one segment, whatever is in it; a
 * list is several. Throws `api_path` for a value that is empty, `.` or `..`: it would be another address.
 */
export function path(
  texts: TemplateStringsArray,
  ...values: readonly (string | number | readonly string[])[]
): ApiPath {
  let encoded = texts[0]!
  for (const [index, value] of values.entries()) {
    const segments = Array.isArray(value) ? (value as readonly string[]) : [String(value)]
    encoded += segments.map(segment).join('/') + texts[index + 1]!
  }
  return { encoded }
}

function segment(value: string): string {
  // WHATWG URLs resolve the dots, encoded or not.
  if (value === '' || value === '.' || value === '..') {
    throw new PlugworkError(
      'api_path',
      `${JSON.stringify(value)} cannot be a part of the address of a request; give the name or id of the thing.`,
    )
  }
  return encodeURIComponent(value)
}
