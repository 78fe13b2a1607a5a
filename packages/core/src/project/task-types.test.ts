import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TasksFile } from './tasks-file.ts'
import { readTaskTypes } from './task-types.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugwork-types-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function tasksFile(source: string, names: readonly string[], hash = 'h1'): TasksFile {
  const file = join(directory, 'tasks.ts')
  writeFileSync(file, source)
  return { file, hash, files: [file], tasks: new Map(), catalog: names.map((name) => ({ name })) }
}

async function typesOf(source: string, name = 'Task') {
  const file = tasksFile(source, [name])
  const { catalogs, problems } = await readTaskTypes([file], { directory, cache: null, compiler: async () => ts })
  return { task: catalogs.get(file.file)![0]!, problems }
}

/** Schemas of a property `x` of each type. One program for all: reading the standard library is what takes time. */
async function schemasOf(types: readonly string[]) {
  const names = types.map((_, index) => `T${index}`)
  const source = types.map((type, index) => `export function T${index}(inputs: { x: ${type} }) { return inputs }`)
  const file = tasksFile(source.join('\n'), names)
  const { catalogs } = await readTaskTypes([file], { directory, cache: null, compiler: async () => ts })
  return catalogs.get(file.file)!.map(({ input }) => {
    const { properties, required } = input as { properties?: { x?: unknown }; required?: readonly string[] }
    return { x: properties?.x, required: required?.includes('x') ?? false }
  })
}

test('types as JSON Schema', async () => {
  const cases: readonly (readonly [string, object])[] = [
    ['string', { type: 'string' }],
    ['number', { type: 'number' }],
    ['boolean', { type: 'boolean' }],
    ['"a" | "b"', { enum: ['a', 'b'] }],
    ['"a" | 1 | null', { anyOf: [{ enum: ['a', 1] }, { type: 'null' }] }],
    ['string | number | null', { type: ['null', 'string', 'number'] }],
    ['boolean | string', { type: ['string', 'boolean'] }],
    ['true', { const: true }],
    ['string[]', { type: 'array', items: { type: 'string' } }],
    ['readonly (string | null)[]', { type: 'array', items: { type: ['null', 'string'] } }],
    ['[string, number]', { type: 'array', items: { type: ['string', 'number'] } }],
    ['Record<string, number>', { type: 'object', additionalProperties: { type: 'number' } }],
    ['Date', { type: 'string', format: 'date-time' }],
    ['URL', { type: 'string', format: 'uri' }],
    ['string & { readonly brand: unique symbol }', { type: 'string' }],
    ['`id-${string}`', { type: 'string' }],
    ['bigint', { type: ['integer', 'string'] }],
    [
      '{ a: 1 } & { b?: string }',
      {
        type: 'object',
        properties: { a: { const: 1 }, b: { type: 'string' } },
        required: ['a'],
        additionalProperties: false,
      },
    ],
    ['Partial<{ a: string }>', { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false }],
  ]
  const schemas = await schemasOf(cases.map(([type]) => type))
  const found = cases.map(([type], index) => [type, schemas[index]])
  expect(found).toEqual(cases.map(([type, x]) => [type, { x, required: true }]))
})

test('of what JSON Schema has no word for nothing is claimed', async () => {
  const types = ['any', 'unknown', 'object', '() => void', 'Map<string, string>', 'Uint8Array', 'string | undefined']
  expect(await schemasOf(types)).toEqual([
    { x: {}, required: false },
    { x: {}, required: false },
    { x: {}, required: true },
    { x: undefined, required: false },
    { x: {}, required: true },
    { x: {}, required: true },
    { x: { type: 'string' }, required: false },
  ])
})

test('a parameter with a default is optional', async () => {
  const { task } = await typesOf('export const Task = ({ x = 1 }: { x?: number }) => ({ x })')
  expect(task.input).toEqual({ type: 'object', properties: { x: { type: 'number' } }, additionalProperties: false })
  expect(task.output).toEqual({
    type: 'object',
    properties: { x: { type: 'number' } },
    required: ['x'],
    additionalProperties: false,
  })
})

test('a promise is what it resolves to, and a recursive type ends', async () => {
  const { task } = await typesOf(`
    interface Node { value: string; children: Node[] }
    /** Reads the tree. */
    export async function Task(inputs: { root: Node }): Promise<{ at: Date; node: Node | null }> { throw inputs }`)
  expect(task.description).toBe('Reads the tree.')
  expect(task.output).toMatchObject({ properties: { at: { format: 'date-time' } }, required: ['at', 'node'] })
  expect(JSON.stringify(task.input).length).toBeLessThan(400)
})

test('a function without parameters takes no inputs; one with three is a problem', async () => {
  expect((await typesOf('export function Task() { return { ok: true } }')).task.input).toEqual({
    type: 'object',
    additionalProperties: false,
  })
  const { problems } = await typesOf('\nexport function Task(a: string, b: string, c: string) { return {} }')
  expect(problems).toMatchObject([{ code: 'PW1306', file: 'tasks.ts', line: 2, severity: 'error' }])
})

test('results are kept by hash: the compiler is asked once', async () => {
  const cache = join(directory, 'cache')
  let asked = 0
  const compiler = async () => {
    asked++
    return ts
  }
  const file = tasksFile('export function Task(inputs: { x: string }) { return inputs }', ['Task'])
  const first = await readTaskTypes([file], { directory, cache, compiler })
  const second = await readTaskTypes([file], { directory, cache, compiler })
  expect(asked).toBe(1)
  expect(second).toEqual(first)
  await readTaskTypes([{ ...file, hash: 'h2' }], { directory, cache, compiler })
  expect(asked).toBe(2)
  expect(readdirSync(join(cache, 'task-types')).length).toBe(2)
})

test('without the compiler the types stay unknown, and one warning says so', async () => {
  mkdirSync(join(directory, 'b'))
  const file = tasksFile('export function Task(inputs: { x: string }) { return inputs }', ['Task'])
  const other = { ...file, file: join(directory, 'b/tasks.ts') }
  const { catalogs, problems } = await readTaskTypes([file, other], {
    directory,
    cache: null,
    compiler: async () => null,
  })
  expect(problems).toMatchObject([{ code: 'PW1305', severity: 'warning', file: 'tasks.ts' }])
  expect(catalogs.get(file.file)).toBeUndefined()
})

test('tasks with schemas of their own never need the compiler', async () => {
  const declared = { name: 'Task', input: { type: 'object' }, output: { type: 'object' } }
  const file = { ...tasksFile('', []), catalog: [declared] }
  const compiler = () => Promise.reject(new Error('not asked'))
  const { catalogs } = await readTaskTypes([file], { directory, cache: null, compiler })
  expect(catalogs.get(file.file)).toEqual([declared])
})
