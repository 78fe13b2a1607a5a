/**
 * A value as far as it is known before a run: what is written out is there with its place, an expression is a type. The
 * parts that are known are checked even where others are computed.
 */
import { childPlace, isPlainMap, type Place } from './place.ts'
import { arrayOf, literalType, union, NULL, type Field, type ObjectType, type Type } from '../expression/type.ts'
import type { Json } from '../json.ts'

export type Shape = LiteralShape | ListShape | MapShape | TypedShape

export interface LiteralShape {
  readonly kind: 'literal'
  readonly value: boolean | number | string | null
  readonly place: Place
}

export interface ListShape {
  readonly kind: 'list'
  readonly items: readonly Shape[]
  readonly place: Place
}

export interface MapShape {
  readonly kind: 'map'
  readonly entries: ReadonlyMap<string, Shape>
  /** Keys that may be there. */
  readonly maybe?: ReadonlySet<string>
  /** Others may be there too. */
  readonly open?: boolean
  readonly place: Place
}

export interface TypedShape {
  readonly kind: 'typed'
  readonly type: Type
  readonly place: Place
}

/** The shape of a JSON value that stands at a place; `keyPlace` finds entries that do not stand directly below it. */
export function shapeOfJson(value: Json, place: Place, keyPlace?: (key: string) => Place | undefined): Shape {
  if (Array.isArray(value)) {
    return {
      kind: 'list',
      items: value.map((item, index) => shapeOfJson(item, childPlace(place, index) ?? place)),
      place,
    }
  }
  if (isPlainMap(value)) {
    const entries = Object.entries(value).map(([key, item]) => {
      return [key, shapeOfJson(item, keyPlace?.(key) ?? childPlace(place, key) ?? place)] as const
    })
    return { kind: 'map', entries: new Map(entries), place }
  }
  return { kind: 'literal', value, place }
}

/** The shape of what an expression gives when it is an object of this type. */
export function shapeOfObject({ fields, rest }: ObjectType, place: Place): MapShape {
  const entries = new Map<string, Shape>()
  const maybe = new Set<string>()
  for (const [name, { type, optional }] of fields) {
    if (optional) maybe.add(name)
    else entries.set(name, { kind: 'typed', type, place })
  }
  return { kind: 'map', entries, maybe, open: rest !== undefined, place }
}

export function typeOfShape(shape: Shape): Type {
  switch (shape.kind) {
    case 'literal':
      return shape.value === null ? NULL : literalType(shape.value)
    case 'list':
      return arrayOf(union(...shape.items.map(typeOfShape)))
    case 'map': {
      const fields = new Map<string, Field>()
      for (const [key, entry] of shape.entries) fields.set(key, { type: typeOfShape(entry), optional: false })
      return { kind: 'object', fields }
    }
    case 'typed':
      return shape.type
  }
}

/** The whole value, when nothing in it is computed. */
export function knownValue(shape: Shape): { readonly value: Json } | null {
  switch (shape.kind) {
    case 'literal':
      return { value: shape.value }
    case 'typed':
      return shape.type.kind === 'null' ? { value: null } : null
    case 'list': {
      const items: Json[] = []
      for (const item of shape.items) {
        const known = knownValue(item)
        if (known === null) return null
        items.push(known.value)
      }
      return { value: items }
    }
    case 'map': {
      if (shape.open === true || (shape.maybe?.size ?? 0) > 0) return null
      const map: [string, Json][] = []
      for (const [key, entry] of shape.entries) {
        const known = knownValue(entry)
        if (known === null) return null
        map.push([key, known.value])
      }
      return { value: Object.fromEntries(map) }
    }
  }
}
