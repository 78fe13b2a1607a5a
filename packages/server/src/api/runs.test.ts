import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHarness, until } from '../testing/harness.ts'
import type { Harness } from '../testing/harness.ts'
import { runDetailSchema, startedSchema } from './shapes.ts'

const FILES = {
  'add/flow.yaml': `
flow: Add
inputs:
  - { name: a, type: integer, required: true }
  - { name: b, type: integer, default: 1 }
steps:
  - { id: sum, set: { total: "\${inputs.a + inputs.b}" } }
outputs:
  - { name: total, value: "\${sum.total}" }
`,
  'park/flow.yaml': `
flow: Park
steps:
  - { id: gate, wait: { event: gate.open, timeout: 1h } }
  - { id: after, set: { got: "\${gate.data}" } }
outputs:
  - { name: got, value: "\${after.got}" }
`,
  'flaky/flow.yaml': `
flow: Flaky
steps:
  - { id: work, task: Work, outputs: [n] }
outputs:
  - { name: n, value: "\${work.n}" }
`,
  'flaky/tasks.ts': `
let calls = 0
export function Work() {
  calls += 1
  if (calls === 1) throw new Error('not yet')
  return { n: calls }
}
`,
  'single/flow.yaml': `
flow: Single
settings: { concurrency: { key: one, limit: 1, when_full: skip } }
steps:
  - { id: gate, wait: 1h }
`,
}

let harness: Harness
beforeAll(async () => {
  harness = await openHarness({ files: FILES })
})
afterAll(() => harness.close())

const start = (flow: string, body: unknown = {}, query = '') =>
  harness.request('POST', `/api/v1/flows/${flow}/runs${query}`, body)
const show = async (id: unknown) => (await harness.request('GET', `/api/v1/runs/${String(id)}`)).json()
const reach = (id: unknown, status: string) =>
  until(
    () => show(id),
    (run) => run.status === status,
  )

describe('start', () => {
  test('202 without waiting, 200 with the outputs when the run has ended', async () => {
    const accepted = await start('Add', { inputs: { a: 1 } })
    expect([accepted.status, startedSchema.safeParse(accepted.json()).success]).toEqual([202, true])
    const finished = await start('Add', { inputs: { a: 1, b: 2 } }, '?wait=30s')
    expect([finished.status, finished.json()]).toEqual([
      200,
      { id: expect.any(String), status: 'succeeded', outputs: { total: 3 } },
    ])
  })

  test('202 when the wait is over before the run', async () => {
    const answer = await start('Park', {}, '?wait=50ms')
    expect([answer.status, answer.json().status]).toEqual([202, 'waiting'])
  })

  test('execute is the spelling that waits', async () => {
    const answer = await harness.request('POST', '/api/v1/flows/Add/execute', { inputs: { a: 4 } })
    expect([answer.status, answer.json().outputs]).toEqual([200, { total: 5 }])
  })

  test('a run that failed is answered with its error', async () => {
    const answer = await start('Flaky', {}, '?wait=30s')
    expect([answer.status, answer.json()]).toMatchObject([
      200,
      { status: 'failed', error: { message: 'not yet', step: 'work' } },
    ])
  })

  test('an idempotency key, in body or header, gives the run that it made', async () => {
    const first = await start('Add', { inputs: { a: 1 }, idempotency_key: 'k' }, '?wait=5s')
    const second = await start('Add', { inputs: { a: 9 }, idempotency_key: 'k' })
    const third = await harness.request(
      'POST',
      '/api/v1/flows/Add/runs',
      { inputs: { a: 9 } },
      { 'idempotency-key': 'k' },
    )
    expect([second.json(), third.json()]).toEqual([first.json(), first.json()])
    expect(second.status).toBe(200)
  })

  test.each<[string, string, unknown, string, number, string]>([
    ['a missing input', 'Add', { inputs: {} }, '', 422, 'inputs_invalid'],
    ['an unknown input', 'Add', { inputs: { a: 1, c: 2 } }, '', 422, 'inputs_invalid'],
    ['an unknown flow', 'Ad', { inputs: {} }, '', 404, 'flow_not_found'],
    ['inputs that are no object', 'Add', { inputs: [] }, '', 400, 'request_invalid'],
    ['a priority out of range', 'Add', { inputs: { a: 1 }, priority: 11 }, '', 400, 'request_invalid'],
    ['a wait that is no duration', 'Add', { inputs: { a: 1 } }, '?wait=soon', 400, 'request_invalid'],
    ['a body that is not JSON', 'Add', '{', '', 400, 'body_invalid'],
  ])('%s makes no run', async (_, flow, body, query, status, code) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await harness.request('POST', `/api/v1/flows/${flow}/runs${query}`, body, headers)
    expect([answer.status, answer.json().code]).toEqual([status, code])
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    expect(answer.json().request_id).toBe(answer.headers.get('x-request-id'))
  })

  test('a body that is not JSON by its type is refused', async () => {
    const answer = await harness.request('POST', '/api/v1/flows/Add/runs', 'a=1', { 'content-type': 'text/plain' })
    expect([answer.status, answer.json().code]).toEqual([415, 'media_type_unsupported'])
  })

  test('a held concurrency key with `skip` is 409 and names who holds it', async () => {
    const holder = (await start('Single')).json().id
    const refused = await start('Single')
    expect([refused.status, refused.json()]).toMatchObject([409, { code: 'concurrency_full', holders: [holder] }])
  })
})

describe('look', () => {
  test('one run with its steps', async () => {
    const { id } = (await start('Add', { inputs: { a: 2 } }, '?wait=5s')).json()
    const run = await show(id)
    expect(runDetailSchema.safeParse(run).error).toBeUndefined()
    expect(run).toMatchObject({ id, flow: 'Add', status: 'succeeded', inputs: { a: 2, b: 1 }, outputs: { total: 3 } })
    expect(run.steps).toEqual([expect.objectContaining({ path: 'sum', status: 'succeeded', output: { total: 3 } })])
  })

  test('a list in pages, newest first, each run once', async () => {
    for (let a = 0; a < 5; a += 1) await start('Add', { inputs: { a } }, '?wait=5s')
    const seen: string[] = []
    let cursor = ''
    do {
      const page = (await harness.request('GET', `/api/v1/runs?flow=Add&limit=2${cursor}`)).json() as {
        runs: { id: string }[]
        next_cursor: string | null
      }
      seen.push(...page.runs.map((run) => run.id))
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
    } while (cursor !== '')
    expect(seen.length).toBeGreaterThanOrEqual(5)
    expect(seen).toEqual([...new Set(seen)].toSorted().toReversed())
  })

  test('filters by status and time', async () => {
    const ask = async (query: string) =>
      (await harness.request('GET', `/api/v1/runs?${query}`)).json().runs as { status: string }[]
    const ended = await ask('status=succeeded,failed&limit=200')
    expect(new Set(ended.map((run) => run.status))).toEqual(new Set(['succeeded', 'failed']))
    expect(await ask('since=2999-01-01')).toEqual([])
    expect((await ask('since=2020-01-01T00:00:00%2B02:00')).length).toBeGreaterThan(0)
  })

  test.each(['status=done', 'limit=0', 'limit=1000', 'cursor=zzz', 'since=yesterday'])('refuses %s', async (query) => {
    expect((await harness.request('GET', `/api/v1/runs?${query}`)).status).toBe(400)
  })

  test('an unknown run is 404', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/events'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
    ] as const) {
      const answer = await harness.request(method, `/api/v1/runs/01234567-nothing${path}`)
      expect([answer.status, answer.json().code]).toEqual([404, 'run_not_found'])
    }
  })
})

describe('act', () => {
  test('cancel', async () => {
    const { id } = (await start('Park')).json()
    const answer = await harness.request('POST', `/api/v1/runs/${id as string}/cancel`, { reason: 'enough' })
    expect(answer.status).toBe(202)
    await reach(id, 'cancelled')
    const again = await harness.request('POST', `/api/v1/runs/${id as string}/cancel`)
    expect([again.status, again.json().code]).toEqual([409, 'run_ended'])
  })

  test('retry in place', async () => {
    const failed = (await harness.store.listRuns({ tenant: 'default', flow: 'Flaky', limit: 1 }))[0]!
    const answer = await harness.request('POST', `/api/v1/runs/${failed.id}/retry`)
    expect([answer.status, answer.json().id]).toEqual([202, failed.id])
    const run = await reach(failed.id, 'succeeded')
    expect(run.outputs).toEqual({ n: 2 })
  })

  test('replay from a step with other inputs is a new run', async () => {
    const { id } = (await start('Add', { inputs: { a: 1 } }, '?wait=5s')).json()
    const answer = await harness.request('POST', `/api/v1/runs/${id as string}/replay`, {
      from: 'sum',
      inputs: { a: 10, b: 5 },
    })
    expect(answer.status).toBe(202)
    const run = await reach(answer.json().id, 'succeeded')
    expect(run).toMatchObject({ outputs: { total: 15 }, forked_from: id })
  })

  test('a signal by the name of the wait', async () => {
    const { id } = (await start('Park')).json()
    const answer = await harness.request('POST', `/api/v1/runs/${id as string}/signals/gate`, {
      data: { ok: 1 },
      id: 's1',
    })
    expect(answer.status).toBe(202)
    const run = await reach(id, 'succeeded')
    expect(run.outputs).toEqual({ got: { ok: 1 } })
  })

  test('resolve refuses a run that needs no decision', async () => {
    const { id } = (await start('Park')).json()
    const answer = await harness.request('POST', `/api/v1/runs/${id as string}/resolve`, {
      step: 'gate',
      decision: 'retry',
    })
    expect([answer.status, answer.json().code]).toEqual([409, 'run_not_held'])
  })
})

describe('the stream of a run', () => {
  const read = async (id: unknown, headers: Record<string, string> = {}) => {
    const answer = await harness.request('GET', `/api/v1/runs/${String(id)}/events`, undefined, headers)
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    return answer.text
      .split('\n\n')
      .map((block) => ({
        event: /^event: (.*)$/m.exec(block)?.[1],
        id: /^id: (.*)$/m.exec(block)?.[1],
        data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? 'null') as Record<string, unknown> | null,
      }))
      .filter(({ event }) => event !== undefined)
  }

  test('tells what was, then what happens, and ends with the run', async () => {
    const { id } = (await start('Park')).json()
    await reach(id, 'waiting')
    const reading = read(id)
    await harness.request('POST', '/api/v1/events', { name: 'gate.open', data: 'go' })
    const events = await reading
    expect(events.at(-1)).toMatchObject({ event: 'status', data: { run_id: id, status: 'succeeded' } })
    const steps = events.flatMap(({ event, data }) => (event === 'step' ? [data?.step] : []))
    expect(steps).toContainEqual(expect.objectContaining({ path: 'gate' }))
  })

  test('Last-Event-ID leaves out what came before it', async () => {
    const { id } = (await start('Park')).json()
    await reach(id, 'waiting')
    await harness.request('POST', '/api/v1/events', { name: 'gate.open', data: 'go' })
    await reach(id, 'succeeded')
    const whole = await read(id)
    const last = Math.max(...whole.map((event) => Number(event.id)))
    const resumed = await read(id, { 'last-event-id': String(last + 1) })
    expect(resumed.map(({ event }) => event)).toEqual(['status'])
  })
})
