import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CATALOG } from './cases/catalog.ts'
import { compileFlow } from './compile.ts'
import type { Plan, PlanNode } from './plan.ts'

const read = (name: string): string => readFileSync(new URL(`./cases/valid/${name}`, import.meta.url), 'utf8')

function compiled(text: string): Plan {
  const { plan, problems } = compileFlow(text, CATALOG)
  expect(problems.filter((found) => found.severity === 'error')).toEqual([])
  if (plan === null) throw new Error('No plan.')
  return plan
}

/** The plan of one step. */
const stepOf = (yaml: string): PlanNode | undefined =>
  compiled(
    `flow: A\nconnections: { db: { type: sqlite, database: x }, pg: { type: postgres, url: x } }\nsteps:\n  - ${yaml}`,
  ).steps[0]

describe('plans', () => {
  test.each(['every-step.yaml', 'spec-example.yaml', 'spec-test.yaml', 'spec-steps.yaml'])('of %s', async (name) => {
    const json = `${JSON.stringify(compiled(read(name)), null, 1)}\n`
    await expect(json).toMatchFileSnapshot(`./cases/valid/${name.replace('.yaml', '.plan.json')}`)
  })
})

describe('the specification’s flows mean what it says', () => {
  const plan = compiled(read('spec-example.yaml'))

  test('connector, config and environment', () => {
    expect(plan.connections['api']).toEqual({
      type: 'myservice',
      config: {
        kind: 'map',
        entries: [
          ['api_key', { kind: 'expression', source: 'env.MYSERVICE_API_KEY' }],
          ['base_url', { kind: 'literal', value: 'https://api.myservice.com' }],
          ['timeout', { kind: 'literal', value: 30 }],
        ],
      },
    })
  })

  test('steps, parameters and outputs', () => {
    expect(plan.steps[0]).toMatchObject({
      kind: 'action',
      id: 'create_item',
      path: 'create_item',
      connector: 'myservice',
      action: 'create',
      connection: 'api',
      outputs: ['resource_id', 'data'],
    })
    expect(plan.steps[1]).toMatchObject({
      input: { kind: 'map', entries: [['resource_id', { kind: 'expression', source: 'create_item.resource_id' }]] },
    })
    expect(plan.outputs).toEqual([
      { name: 'item_id', value: { kind: 'expression', source: 'create_item.resource_id' } },
      { name: 'item_data', value: { kind: 'expression', source: 'fetch_item.data' } },
    ])
  })
})

describe('actions', () => {
  test.each(['github.issues.create', 'github_issues_create', 'gh_issues_create'])('%s is found', (name) => {
    const text = `flow: A\nconnections: { gh: { type: github } }\nsteps:\n  - ${name}: { connection: gh, title: T }`
    expect(compiled(text).steps[0]).toMatchObject({ connector: 'github', action: 'issues.create' })
  })

  test('step keys stand inside, beside, or inside while `with` holds the parameters', () => {
    expect(stepOf('http.get: { url: x, id: a, retry: {} }')).toMatchObject({ id: 'a', retry: { maxAttempts: 3 } })
    expect(stepOf('{ http.get: { url: x }, id: a, timeout: 5 }')).toMatchObject({ id: 'a', timeoutMs: 5000 })
    expect(stepOf('http.get: { id: a, timeout: 5, with: { url: x, timeout: 7 } }')).toMatchObject({
      timeoutMs: 5000,
      input: { kind: 'literal', value: { url: 'x', timeout: 7 } },
    })
  })

  test('what an interruption means: the action’s look-up, else a retry, unless the author says', () => {
    const gh = (rest: string) =>
      compiled(
        `flow: A\nconnections: { gh: { type: github } }\nsteps:\n  - gh_issues_create: { connection: gh, title: T ${rest} }`,
      ).steps[0]
    expect(gh('')).toMatchObject({ onInterrupt: 'check' })
    expect(gh(', on_interrupt: hold')).toMatchObject({ onInterrupt: 'hold' })
    expect(gh(', run: at_most_once')).toMatchObject({ onInterrupt: 'fail' })
    expect(stepOf('task: Untyped')).toMatchObject({ onInterrupt: 'retry' })
  })
})

describe('retry', () => {
  test.each([
    ['{}', { maxAttempts: 3, delayMs: 1000, backoff: 2, maxDelayMs: 60_000, jitter: true }],
    ['{ delay: 5m }', { maxAttempts: 3, delayMs: 300_000, backoff: 2, maxDelayMs: 300_000, jitter: true }],
    [
      '{ max_attempts: 5, delay_seconds: 0.5, backoff_multiplier: 1, jitter: false, on: timeout }',
      { maxAttempts: 5, delayMs: 500, backoff: 1, maxDelayMs: 60_000, jitter: false, on: ['timeout'] },
    ],
  ])('%s', (retry, expected) => {
    expect(stepOf(`{ task: Untyped, retry: ${retry} }`)).toMatchObject({ retry: expected })
  })
})

describe('paths', () => {
  test('ids, kinds and positions, and the names of branches', () => {
    const plan = compiled(`
flow: A
steps:
  - set: { a: 1 }
  - id: loop
    for_each: "[1]"
    as: item
    do:
      - set: { a: 1 }
      - if: true
        then: { task: Untyped, on_error: { set: { a: 1 } } }
`)
    expect(JSON.stringify(plan).match(/"path":"[^"]*"/g)).toEqual([
      '"path":"set@0"',
      '"path":"loop"',
      '"path":"loop/set@0"',
      '"path":"loop/if@1"',
      '"path":"loop/if@1/then/task@0"',
      '"path":"loop/if@1/then/task@0/on_error/set@0"',
    ])
  })
})

describe('expressions', () => {
  test.each([
    ['${ inputs . a }', { kind: 'expression', source: 'inputs.a' }],
    ['a ${inputs.a} b', { kind: 'text', parts: ['a ', { source: 'inputs.a' }, ' b'] }],
    ['$${inputs.a}', { kind: 'literal', value: '${inputs.a}' }],
    ['${{ a: 1 }}', { kind: 'expression', source: '{ a: 1 }' }],
    ["${'}'}", { kind: 'expression', source: '"}"' }],
    ['costs $5', { kind: 'literal', value: 'costs $5' }],
  ])('%s', (text, template) => {
    expect(stepOf(`set: { x: ${JSON.stringify(text)} }`)).toMatchObject({ values: [['x', template]] })
  })

  test('data keeps its dollar signs: only the document is read', () => {
    expect(stepOf('set: { x: ["${inputs.a}", "$${b}"] }')).toMatchObject({
      values: [['x', { kind: 'list', items: [{ kind: 'expression' }, { kind: 'literal', value: '${b}' }] }]],
    })
  })

  test.each([
    ['${inputs.a} == 1 and ${inputs.b} > 2', 'inputs.a == 1 && inputs.b > 2'],
    ['(${inputs.a || inputs.b}) && true', '(inputs.a || inputs.b) && true'],
    ['${inputs.a}', 'inputs.a'],
  ])('the condition %s', (text, source) => {
    const node = stepOf(`{ if: ${JSON.stringify(text)}, then: [] }`)
    expect(node).toMatchObject({ condition: { kind: 'expression', source } })
  })

  test('a list or map at an expression position stands for itself', () => {
    expect(
      stepOf('{ for_each: [1, "${inputs.a}", "x ${inputs.b}"], as: i, do: [], collect: { v: "${i}" } }'),
    ).toMatchObject({
      items: '[1, inputs.a, `x ${inputs.b}`]',
      collect: '{ v: i }',
    })
  })
})

describe('SQL', () => {
  const parts = (connector: string, query: string, params?: string) => {
    const rest = params === undefined ? '' : `, params: ${params}`
    const node = stepOf(
      `${connector}_query: { connection: ${connector === 'pg' ? 'pg' : 'db'}, query: ${JSON.stringify(query)}${rest} }`,
    )
    const input = node?.kind === 'action' && node.input.kind === 'map' ? node.input.entries : []
    expect(input.map(([key]) => key)).toEqual(['query'])
    const template = input[0]?.[1]
    return template?.kind === 'sql' ? template.parts : []
  }
  const bind = (source: string, spread = false) => ({ source, spread })

  test('expressions are bound in the order of the text, the author’s own parameters between them', () => {
    expect(parts('sqlite', 'a = ${x} and b = ? and c = ${y} and d = ?', '[1, "${z}"]')).toEqual([
      'a = ',
      bind('x'),
      ' and b = ',
      bind('1'),
      ' and c = ',
      bind('y'),
      ' and d = ',
      bind('z'),
    ])
  })

  test('numbered parameters may come in any order and twice', () => {
    expect(parts('pg', 'select $2, ${x}, $1, $2', '["a", "b"]')).toEqual([
      'select ',
      bind('"b"'),
      ', ',
      bind('x'),
      ', ',
      bind('"a"'),
      ', ',
      bind('"b"'),
    ])
  })

  test('named parameters of SQLite', () => {
    expect(parts('sqlite', 'select :a, @b, $c', '{ a: 1, b: 2, c: 3 }')).toEqual([
      'select ',
      bind('1'),
      ', ',
      bind('2'),
      ', ',
      bind('3'),
    ])
  })

  test('parameters that are one expression are taken from it', () => {
    expect(parts('sqlite', 'select ?, ?', '"${list}"')).toEqual(['select ', bind('list[0]'), ', ', bind('list[1]')])
  })

  test('a list is spread inside `in (…)` and nowhere else', () => {
    expect(parts('sqlite', 'a in (1, ${x}) and b = (${y})')).toEqual([
      'a in (1, ',
      bind('x', true),
      ') and b = (',
      bind('y'),
      ')',
    ])
  })

  test.each([
    ['select \'?\', "?", `?`, [?] -- ?\n /* ? */', 'sqlite'],
    ["select '$1' /* $1 /* $1 */ $1 */ -- $1", 'pg'],
    ["select $x$ $1 $x$, data ? 'k', a::text", 'pg'],
  ])('%s has no placeholders', (query, connector) => {
    expect(parts(connector, query)).toEqual([query])
  })
})

describe('what the document leaves out', () => {
  test('defaults of a flow', () => {
    expect(compiled('flow: A\nsteps: [{ set: { a: 1 } }]')).toEqual({
      version: 1,
      flow: 'A',
      connections: {},
      triggers: [],
      inputs: [],
      steps: [
        { kind: 'set', path: 'set@0', at: { line: 2, column: 9 }, values: [['a', { kind: 'literal', value: 1 }]] },
      ],
      outputs: [],
      settings: { cancelGraceMs: 30_000, priority: 5 },
      env: [],
      subflows: [],
    })
  })
})
