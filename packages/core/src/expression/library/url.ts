/** Addresses by RFC 3986, as plain text operations: nothing is looked up and nothing is requested. */
import type { Value, ValueObject } from '../value.ts'
import { setOwn } from '../value.ts'

const PARTS = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s
const AUTHORITY = /^(?:([^@]*)@)?(\[[0-9A-Fa-f:.]+\]|[^:[\]\s]*)(?::(\d{1,5}))?$/

export interface UrlParts {
  readonly protocol: string | null
  readonly authority: string | null
  readonly path: string
  readonly query: string | null
  readonly fragment: string | null
}

/** Splits an address; undefined when it cannot be one. */
export function splitUrl(text: string): UrlParts | undefined {
  const match = PARTS.exec(text)
  if (match === null || /[\s<>"\\^`{|}]/.test(text)) return undefined
  const [, protocol, authority, path = '', query, fragment] = match
  return {
    protocol: protocol?.toLowerCase() ?? null,
    authority: authority ?? null,
    path,
    query: query ?? null,
    fragment: fragment ?? null,
  }
}

/** The parts of an absolute address as `parseUrl` gives them; undefined when it is none. */
export function readUrl(text: string): ValueObject | undefined {
  const parts = splitUrl(text)
  const authority = parts?.authority && AUTHORITY.exec(parts.authority)
  if (!parts?.protocol || !authority) return undefined
  const [, user, host = '', port] = authority
  const query = parts.query === null ? {} : readQuery(parts.query)
  if (host === '' || Number(port ?? 0) > 65_535 || query === undefined) return undefined
  return {
    protocol: parts.protocol,
    user: user ?? null,
    host: host.toLowerCase(),
    port: port === undefined ? null : Number(port),
    path: parts.path === '' ? '/' : parts.path,
    query,
    fragment: parts.fragment,
  }
}

/** The fields of a query; one that occurs more than once has a list. Undefined when an escape in it is broken. */
export function readQuery(text: string): ValueObject | undefined {
  const fields = new Map<string, Value[]>()
  try {
    for (const pair of text.replace(/^\?/, '').split('&')) {
      if (pair === '') continue
      const [, name = '', given = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? []
      const key = decodeField(name)
      const list = fields.get(key)
      if (list) list.push(decodeField(given))
      else fields.set(key, [decodeField(given)])
    }
  } catch {
    return undefined
  }
  const result: { [key: string]: Value } = {}
  for (const [key, list] of fields) setOwn(result, key, list.length === 1 ? (list[0] ?? null) : list)
  return result
}

const decodeField = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))

/** Text as one part of an address; undefined when it holds half a character. */
export function encodePart(text: string): string | undefined {
  if (!text.isWellFormed()) return undefined
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
