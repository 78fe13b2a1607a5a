/** The functions and methods of the language: one table, collected from the areas in `library/`. */
import { ARRAYS } from './library/arrays.ts'
import { DATES } from './library/dates.ts'
import { ENCODING } from './library/encoding.ts'
import type { Entry, Receiver } from './library/entry.ts'
import { NUMBERS } from './library/numbers.ts'
import { OBJECTS } from './library/objects.ts'
import { PATTERNS } from './library/patterns.ts'
import { STRINGS } from './library/strings.ts'
import { WAITS } from './library/waits.ts'

export type { Entry } from './library/entry.ts'

/** Every entry, in the order of the documentation. */
export const LIBRARY: readonly Entry[] = [
  ...STRINGS,
  ...PATTERNS,
  ...NUMBERS,
  ...ARRAYS,
  ...OBJECTS,
  ...DATES,
  ...ENCODING,
  ...WAITS,
]

/** Functions by name. */
export const FUNCTIONS: ReadonlyMap<string, Entry> = new Map(
  LIBRARY.filter((entry) => entry.of === undefined).map((entry) => [entry.name, entry]),
)

/** Names before the dot of functions such as `Math.round`: they are no values. */
export const NAMESPACES: ReadonlySet<string> = new Set(
  [...FUNCTIONS.keys()].filter((name) => name.includes('.')).map((name) => name.slice(0, name.indexOf('.'))),
)

/** The methods of that name, by the type they belong to. */
export type Overloads = { readonly [of in Receiver]?: Entry }

/** Methods by name. */
export const METHODS: ReadonlyMap<string, Overloads> = collectMethods()

function collectMethods(): Map<string, Overloads> {
  const methods = new Map<string, Overloads>()
  for (const entry of LIBRARY) {
    if (entry.of !== undefined) methods.set(entry.name, { ...methods.get(entry.name), [entry.of]: entry })
  }
  return methods
}
