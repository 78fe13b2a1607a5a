/** A place in a document: a value, and the way to it. Positions and JSON pointers are found from it when needed. */
export interface Place {
  readonly value: unknown
  /** The map or list that holds the value; null for the document itself. */
  readonly container: object | null
  readonly key: string | number
  readonly parent: Place | null
}

export function rootPlace(value: unknown): Place {
  return { value, container: null, key: '', parent: null }
}

export type PlainMap = { readonly [key: string]: unknown }

export function isPlainMap(value: unknown): value is PlainMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The place below, of an own key or an index; undefined when there is none. */
export function childPlace(place: Place, key: string | number): Place | undefined {
  const container = place.value
  if (typeof container !== 'object' || container === null || !Object.hasOwn(container, key)) return undefined
  // Own property of a plain map or list, read by its key.
  const value = (container as { readonly [key: string | number]: unknown })[key]
  return value === undefined ? undefined : { value, container, key, parent: place }
}

/** Places of the entries of a map, in order; none when it is no map. */
export function mapEntries(place: Place): readonly (readonly [string, Place])[] {
  if (!isPlainMap(place.value)) return []
  return Object.keys(place.value).flatMap((key) => {
    const child = childPlace(place, key)
    return child === undefined ? [] : [[key, child] as const]
  })
}

/** Places of the items of a list; none when it is no list. */
export function listItems(place: Place): readonly Place[] {
  if (!Array.isArray(place.value)) return []
  return place.value.map((value: unknown, key) => ({ value, container: place.value as object, key, parent: place }))
}

/** Items of a list, or the one value that stands where a list may. */
export function oneOrMany(place: Place): readonly Place[] {
  return Array.isArray(place.value) ? listItems(place) : [place]
}

/** JSON pointer of the place (RFC 6901). */
export function pointerOf(place: Place): string {
  let pointer = ''
  for (let at: Place | null = place; at !== null && at.container !== null; at = at.parent) {
    pointer = `/${String(at.key).replaceAll('~', '~0').replaceAll('/', '~1')}${pointer}`
  }
  return pointer
}

/** What a value is, in the words of messages. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value === 'string') return 'text'
  return `the ${typeof value} ${String(value)}`
}

/** A value where a word is expected. A map is no word, and may have a `toString` of its own. */
export const wordOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? describeValue(value) : String(value)
