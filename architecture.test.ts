/** Holds the structure: allowed edges between areas, no cycles, no deep imports, and pure folders that stay pure. */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = import.meta.dirname

/** Area -> areas it may import. An area is a folder of core, or a package. */
const ALLOWED: Record<string, readonly string[]> = {
  'core/json': [],
  'core/error': ['core/json'],
  'core/clock': [],
  'core/slots': [],
  'core/expression': ['core/json'],
  'core/flow': ['core/json', 'core/error', 'core/expression'],
  'core/engine': ['core/json', 'core/error', 'core/expression', 'core/flow'],
  'core/egress': ['core/json', 'core/error', 'core/engine'],
  'core/blob': ['core/json', 'core/error'],
  'core/store': ['core/json', 'core/error', 'core/slots', 'core/engine', 'core/blob'],
  'core/connector': ['core/json', 'core/error', 'core/flow', 'core/engine', 'core/egress'],
  'core/api': ['core/json', 'core/error', 'core/flow', 'core/egress', 'core/connector'],
  'core/action': ['core/json', 'core/error', 'core/clock', 'core/flow', 'core/engine', 'core/egress', 'core/connector'],
  'core/runtime': [
    'core/json',
    'core/error',
    'core/clock',
    'core/slots',
    'core/expression',
    'core/flow',
    'core/engine',
    'core/egress',
    'core/blob',
    'core/store',
    'core/connector',
    'core/action',
  ],
  'core/project': [
    'core/json',
    'core/error',
    'core/clock',
    'core/expression',
    'core/flow',
    'core/engine',
    'core/connector',
    'core/runtime',
  ],
  'core/testing': [
    'core/json',
    'core/error',
    'core/clock',
    'core/expression',
    'core/flow',
    'core/engine',
    'core/egress',
    'core/blob',
    'core/store',
    'core/connector',
    'core/action',
    'core/runtime',
    'core/project',
  ],
  'test-services': [],
  connections: ['core'],
  connectors: ['core', 'connections'],
  sdk: ['core', 'connections'],
  server: ['core', 'connections', 'connectors', 'sdk'],
  plugwork: ['core', 'connections', 'connectors', 'sdk', 'server'],
}
/** Published entries of core may gather from everywhere inside; `index` only from the pure areas. */
const PURE = new Set(['core/json', 'core/error', 'core/expression', 'core/flow', 'core/engine'])

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
  const found: Import[] = []
  for (const match of text.matchAll(/^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm)) {
    found.push({ from: file, to: match[2]!, typeOnly: match[1] !== undefined })
  }
  for (const match of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)) {
    found.push({ from: file, to: match[1]!, typeOnly: false })
  }
  return found
}

function areaOf(file: string): string | null {
  const parts = file.split('/')
  if (parts[0] !== 'packages') return null
  if (parts[1] !== 'core') return parts[1]!
  const inner = parts[3]!
  return parts.length === 4 ? `core/${inner.replace(/\.(test\.)?ts$/, '')}` : `core/${inner}`
}

const files = globSync('packages/*/src/**/*.ts', { cwd: root }).filter((file) => !/fixtures\//.test(file))
/** Test support in an area's own `testing` folder counts as tests. */
const isTest = (file: string): boolean => file.endsWith('.test.ts') || /\/src\/(?:[^/]+\/)?testing\//.test(file)
const sources = files.filter((file) => !isTest(file))
const imports = sources.flatMap(importsOf)

function resolved(edge: Import): string | null {
  return edge.to.startsWith('.') ? relative(root, resolve(root, dirname(edge.from), edge.to)) : null
}

test('areas import only what the table allows', () => {
  expect(sources.length).toBeGreaterThan(20)
  const wrong: string[] = []
  for (const edge of imports) {
    const area = areaOf(edge.from)!
    if (
      ['core/index', 'core/node', 'core/postgres', 'core/testing', 'core/authoring'].includes(area) &&
      edge.from.split('/').length === 4
    )
      continue
    const allowed = ALLOWED[area]
    if (!allowed) {
      wrong.push(`${edge.from}: area ${area} is not in the table`)
      continue
    }
    const target = resolved(edge)
    if (target === null) {
      const match =
        /^@plugwork\/(core|connections|connectors|sdk|server|test-services)(?:\/|$)/.exec(edge.to) ??
        /^(plugwork)(?:\/|$)/.exec(edge.to)
      const to = match?.[1]
      if (to && to !== area && !allowed.includes(to)) wrong.push(`${edge.from} imports ${edge.to}`)
      if (to && area.startsWith('core/')) wrong.push(`${edge.from} imports ${edge.to}: use a relative path inside core`)
      continue
    }
    const to = areaOf(target)
    if (to === null || (to !== area && !allowed.includes(to))) wrong.push(`${edge.from} imports ${target}`)
  }
  expect(wrong).toEqual([])
})

test('the pure entry of core gathers only pure areas', () => {
  const wrong = imports
    .filter((edge) => edge.from === 'packages/core/src/index.ts')
    .map((edge) => resolved(edge))
    .filter((to) => to === null || !PURE.has(areaOf(to)!))
  expect(wrong).toEqual([])
})

test('no package reaches into another one by path', () => {
  const wrong = files
    .flatMap(importsOf)
    .filter(
      (edge) =>
        /^@plugwork\/[^/]+\/(src|dist)\b/.test(edge.to) ||
        (edge.to.startsWith('.') && resolved(edge)!.split('/')[1] !== edge.from.split('/')[1]),
    )
    .map((edge) => `${edge.from} imports ${edge.to}`)
  expect(wrong).toEqual([])
})

test('there is no import cycle between files', () => {
  const graph = new Map<string, string[]>(sources.map((file) => [file, []]))
  for (const edge of imports) {
    const to = resolved(edge)
    if (!edge.typeOnly && to !== null && graph.has(to)) graph.get(edge.from)!.push(to)
  }
  const state = new Map<string, 'open' | 'done'>()
  const cycles: string[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '))
      return
    }
    state.set(file, 'open')
    for (const next of graph.get(file)!) visit(next, [...trail, file])
    state.set(file, 'done')
  }
  for (const file of sources) visit(file, [])
  expect(cycles).toEqual([])
})

test('pure folders compile without Node and DOM types', () => {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  let output = ''
  try {
    execFileSync(process.execPath, [tsc, '--noEmit', '-p', join(root, 'tsconfig.pure.json')], { encoding: 'utf8' })
  } catch (error) {
    output = String((error as { stdout?: string }).stdout ?? error)
  }
  expect(output).toBe('')
}, 120_000)

test('pure folders import no Node module', () => {
  const wrong = imports
    .filter((edge) => PURE.has(areaOf(edge.from)!) && edge.to.startsWith('node:'))
    .map((edge) => `${edge.from} imports ${edge.to}`)
  expect(wrong).toEqual([])
})
