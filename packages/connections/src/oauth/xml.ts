/**
 * The little XML that token endpoints speak: elements with text. Written with escaping; read without document types,
 * entities beyond the five of XML, and attributes, so that nothing can be included or expanded.
 */
import type { Json } from '@plugwork/core'

interface Element {
  [name: string]: string | Element
}

/** One element per parameter below `root`; a dotted name nests (`control.senderid`). */
export function writeXml(root: string, parameters: Iterable<readonly [string, string]>): string {
  const tree: Element = {}
  for (const [name, value] of parameters) {
    const path = name.split('.')
    let at = tree
    for (const part of path.slice(0, -1)) {
      const next = at[part]
      at = typeof next === 'object' ? next : (at[part] = {})
    }
    at[path.at(-1)!] = value
  }
  return `<?xml version="1.0" encoding="UTF-8"?>${element(root, tree)}`
}

function element(name: string, value: string | Element): string {
  const inner =
    typeof value === 'string'
      ? value.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`)
      : Object.entries(value)
          .map(([child, of]) => element(child, of))
          .join('')
  return `<${name}>${inner}</${name}>`
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const DEEPEST = 32

/** What is inside of the outermost element: objects of elements, texts, lists where a name repeats. Null: not readable. */
export function readXml(text: string): Record<string, Json> | null {
  if (/<!(?!--|\[CDATA\[)/.test(text)) return null
  const tokens = text
    .replace(/<\?[^?]*\?>|<!--[\s\S]*?-->/g, '')
    .matchAll(/<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([\w:.-]+)[^<>]*?(\/?)>|([^<]+)/g)
  const stack: { name: string; children: Record<string, Json>; text: string }[] = [{ name: '', children: {}, text: '' }]
  for (const [, cdata, closing, name, empty, chars] of tokens) {
    const top = stack.at(-1)!
    if (cdata !== undefined) top.text += cdata
    else if (chars !== undefined) top.text += decode(chars)
    else if (closing === '') {
      if (stack.length > DEEPEST) return null
      if (empty === '/') add(top.children, name!, '')
      else stack.push({ name: name!, children: Object.create(null) as Record<string, Json>, text: '' })
    } else {
      if (stack.length < 2 || top.name !== name) return null
      stack.pop()
      const value = Object.keys(top.children).length > 0 ? top.children : top.text.trim()
      add(stack.at(-1)!.children, name, value)
    }
  }
  if (stack.length !== 1) return null
  const [outermost] = Object.values(stack[0]!.children)
  return typeof outermost === 'object' && outermost !== null && !Array.isArray(outermost)
    ? (outermost as Record<string, Json>)
    : null
}

function add(children: Record<string, Json>, name: string, value: Json): void {
  const before = children[name]
  if (before === undefined) children[name] = value
  else children[name] = Array.isArray(before) ? [...(before as Json[]), value] : [before, value]
}

function decode(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(\w+));/g,
    (whole, decimal, hex, name: string | undefined) => {
      if (name !== undefined) return ENTITIES[name] ?? whole
      const point = decimal === undefined ? parseInt(String(hex), 16) : Number(decimal)
      return point <= 0x10ffff ? String.fromCodePoint(point) : ''
    },
  )
}
