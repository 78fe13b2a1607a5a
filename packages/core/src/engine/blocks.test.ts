import { expect, test } from 'vitest'
import { choose, cond, emit, fail, loop, parallel, plan, set, task } from './testing/build.ts'
import { decide } from './decide.ts'
import { loadProgram } from './program.ts'
import { statusOf } from './state.ts'
import { START, facts, simulate } from './testing/simulate.ts'

test('steps run one after the other; each sees the values of those before it', () => {
  const run = simulate(
    plan(
      [
        task('a', { input: { x: '${inputs.x}' } }),
        set('sum', { y: '${a.n + 1}' }),
        task('b', { input: { y: '${sum.y}', text: 'y is ${sum.y}' } }),
      ],
      { outputs: { y: '${sum.y}', ok: '${b.ok}' } },
    ),
    { x: 1 },
  )
  expect(run.commands).toMatchObject([{ type: 'effect', path: 'a', attempt: 1, input: { x: 1 } }])
  expect(run.status).toBe('running')
  run.complete('a', { n: 41 })
  expect(run.commands).toMatchObject([{ type: 'effect', path: 'b', input: { y: 42, text: 'y is 42' } }])
  run.complete('b', { ok: true })
  expect(run.commands).toEqual([{ type: 'finish', status: 'succeeded', outputs: { y: 42, ok: true } }])
  expect(run.status).toBe('succeeded')
})

test('a step whose `if` is not true is skipped, and everything read from it is null', () => {
  const run = simulate(
    plan([task('a', { if: 'inputs.go' })], { outputs: { a: '${a}', deep: '${a.b.c}', dynamic: '${steps.a.b}' } }),
    { go: false },
  )
  expect(run.status).toBe('succeeded')
  expect(run.outputs).toEqual({ a: null, deep: null, dynamic: null })
})

test('only the listed outputs of a result are kept', () => {
  const run = simulate(plan([task('a', { outputs: ['x', 'missing'] })], { outputs: { a: '${a}' } }))
  run.complete('a', { x: 1, y: 2 })
  expect(run.outputs).toEqual({ a: { x: 1, missing: null } })
})

test.each([
  [3, 'big', null],
  [1, null, 'small'],
])('if: %d', (n, taken, otherwise) => {
  const run = simulate(
    plan([cond('inputs.n > 2', [set('big', { v: 'big' })], [set('small', { v: 'small' })])], {
      outputs: { taken: '${big.v}', otherwise: '${small.v}' },
    }),
    { n },
  )
  expect(run.outputs).toEqual({ taken, otherwise })
})

test('conditions nest `all`, `any` and `none`', () => {
  const source = (text: string) => ({ kind: 'expression' as const, source: text })
  const condition = {
    kind: 'all' as const,
    members: [
      source('inputs.a'),
      { kind: 'any' as const, members: [source('inputs.b'), source('inputs.c')] },
      { kind: 'none' as const, members: [source('inputs.d')] },
    ],
  }
  const node = { ...set('s', { v: true }), if: condition }
  const value = (a: boolean, b: boolean, c: boolean, d: boolean) =>
    simulate(plan([node], { outputs: { v: '${s.v}' } }), { a, b, c, d }).outputs?.v
  expect(value(true, false, true, false)).toBe(true)
  expect(value(true, false, false, false)).toBe(null)
  expect(value(true, true, true, true)).toBe(null)
  expect(value(false, true, true, false)).toBe(null)
})

test('switch takes the first case whose value is the same, by content and type', () => {
  const flow = plan(
    [
      choose(
        'inputs.v',
        [
          ['1', [set('r', { took: 'text' })]],
          [1, [set('r', { took: 'number' })]],
          [{ a: [1] }, [set('r', { took: 'object' })]],
        ],
        [set('r', { took: 'default' })],
      ),
    ],
    { outputs: { took: '${r.took}' } },
  )
  const took = (
    v: Parameters<typeof simulate>[1] extends infer I ? (I extends { [key: string]: infer V } ? V : never) : never,
  ) => simulate(flow, { v }).outputs?.took
  expect(took(1)).toBe('number')
  expect(took('1')).toBe('text')
  expect(took({ a: [1] })).toBe('object')
  expect(took({ a: [2] })).toBe('default')
})

test('an error in an expression is an error of its step', () => {
  const run = simulate(plan([task('a'), set('s', { v: '${a.x.y}' })]))
  run.complete('a', { x: null })
  expect(run.status).toBe('failed')
  expect(run.error).toMatchObject({ code: 'expression_null_member', step: 's' })
})

test('on_error handles a failure: the value is null, and the flow goes on', () => {
  const run = simulate(
    plan(
      [
        task('a', {
          onError: [task('h', { input: { why: '${error.message}', code: '${error.code}', step: '${error.step}' } })],
        }),
        task('b'),
      ],
      {
        outputs: { a: '${a.x}', h: '${h.done}' },
      },
    ),
  )
  run.fail('a')
  expect(run.commands).toMatchObject([
    { path: 'a/on_error/h', input: { why: 'boom happened', code: 'boom', step: 'a' } },
  ])
  run.complete('a/on_error/h', { done: true })
  expect(run.commands).toMatchObject([{ path: 'b' }])
  run.complete('b')
  expect(run.outputs).toEqual({ a: null, h: true })
})

test('an error in a handler replaces the error and keeps it as its cause', () => {
  const run = simulate(plan([task('a', { onError: [fail('worse', 'worse')] })]))
  run.fail('a')
  expect(run.error).toEqual({
    code: 'worse',
    message: 'worse',
    step: 'a/on_error/fail@0',
    cause: { code: 'boom', message: 'boom happened', step: 'a' },
  })
})

test('on_error of a block handles what failed inside', () => {
  const run = simulate(
    plan([loop('l', '[1, 2]', [task('t')], { onError: [set('s', { step: '${error.step}' })] })], {
      outputs: { step: '${s.step}', l: '${l}' },
    }),
  )
  run.complete('l[0]/t')
  run.fail('l[1]/t')
  expect(run.outputs).toEqual({ step: 'l[1]/t', l: null })
})

test('a label is read through `steps`, within its iteration', () => {
  const node = { ...task('x', { label: 'validate_${item.sku}', input: { sku: '${item.sku}' } }) }
  const { id: _id, ...labelled } = node
  const run = simulate(
    plan(
      [
        loop('l', 'inputs.items', [labelled, set('s', { ok: '${steps["validate_" + item.sku].ok}' })], {
          collect: 's.ok',
        }),
      ],
      { outputs: { r: '${l.results}' } },
    ),
    { items: [{ sku: 'A1' }, { sku: 'B2' }] },
  )
  expect(run.started()).toEqual(['l[0]/task@0'])
  run.complete('l[0]/task@0', { ok: 1 })
  run.complete('l[1]/task@0', { ok: 2 })
  expect(run.outputs).toEqual({ r: [1, 2] })
})

test('emit publishes with the record of the decision, and the flow goes on at once', () => {
  const run = simulate(plan([emit('order.paid', { id: '${inputs.id}' }), task('a')]), { id: 7 })
  expect(run.commands).toMatchObject([
    { type: 'emit', path: 'emit@0', event: 'order.paid', data: { id: 7 } },
    { type: 'effect', path: 'a' },
  ])
})

test('names of the scope', () => {
  const names = {
    now: '${now}',
    run: '${run}',
    flow: '${flow}',
    trigger: '${trigger.type}',
    captured: '${env.REGION}',
    unset: '${env.UNSET}',
  }
  const run = simulate(
    plan([set('s', names)], { outputs: { s: '${s}' }, env: ['REGION', 'UNSET', 'API_KEY'] }),
    {},
    {
      env: { REGION: 'eu', UNSET: null },
    },
  )
  const started = new Date(START).toISOString()
  expect(run.outputs?.s).toEqual({
    now: started,
    run: { id: 'run-1', attempt: 1, started_at: started },
    flow: { name: 'Test', version: 'hash-of-plan' },
    trigger: 'manual',
    captured: 'eu',
    unset: null,
  })
})

test('`now` is the time of the event that made the step runnable', () => {
  const run = simulate(plan([task('a'), set('s', { t: '${now}' })], { outputs: { t: '${s.t}' } }))
  run.pass(5000)
  run.complete('a')
  expect(run.outputs).toEqual({ t: new Date(START + 5000).toISOString() })
})

test('names inside an iteration are not seen outside, and a new iteration begins without values', () => {
  const run = simulate(
    plan(
      [
        loop('l', '[1, 2]', [set('seen', { before: '${inner}' }), set('inner', { v: '${item}' })], {
          collect: 'seen.before',
        }),
      ],
      {
        outputs: { r: '${l.results}' },
      },
    ),
  )
  expect(run.outputs).toEqual({ r: [null, null] })
  const outside = simulate(plan([loop('l', '[1]', [set('inner', { v: 1 })]), set('s', { v: '${inner.v}' })]))
  expect(outside.error).toMatchObject({ code: 'expression_unknown_name' })
})

test('an unknown name is an error', () => {
  expect(simulate(plan([set('s', { v: '${nothing}' })])).error).toMatchObject({
    code: 'expression_unknown_name',
    step: 's',
  })
})

test('an effect asked for and left within one decision never begins', () => {
  const run = simulate(plan([parallel([[task('a')], [fail('at once')]])]))
  expect(run.commands.map((command) => command.type)).toEqual(['finish'])
  expect(run.status).toBe('failed')
})

test('a hundred thousand pure iterations need no stack', () => {
  const run = simulate(
    plan([loop('l', 'inputs.items', [set('s', { v: '${item + 1}' })], { collect: 's.v' })], {
      outputs: { n: '${l.results.length}', last: '${l.results[99999]}' },
    }),
    { items: Array.from({ length: 100_000 }, (_, index) => index) },
  )
  expect(run.outputs).toEqual({ n: 100_000, last: 100_000 })
})

test('a run that computes without end is stopped', () => {
  const steps = [
    loop('l', 'inputs.items', [loop('m', 'inputs.items', [set('s', { v: 1 })])], { onError: [set('h', { v: 1 })] }),
  ]
  const items = Array.from({ length: 100 }, () => 0)
  const program = loadProgram(plan(steps), 'hash', { pureBudget: 5000 })
  const { state, commands } = decide(program, null, { type: 'start', at: START, facts: facts({ inputs: { items } }) })
  expect(statusOf(state).status).toBe('failed')
  expect(commands).toMatchObject([{ type: 'finish', error: { code: 'pure_budget', step: 'l/on_error/h' } }])
})
