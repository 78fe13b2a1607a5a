import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHarness, until } from '../testing/harness.ts'
import type { Answer, Harness } from '../testing/harness.ts'

const flow = (name: string, trigger: string, rest = '') => `
flow: ${name}
triggers:
  - webhook: ${trigger}
${rest}`

const ECHO_ALL = `
inputs:
  - { name: body, type: any }
  - { name: n, type: integer }
  - { name: flag, type: boolean }
  - { name: user_agent, type: string }
steps:
  - { id: done, set: { ok: true } }
outputs:
  - { name: body, value: "\${inputs.body}" }
  - { name: n, value: "\${inputs.n}" }
  - { name: flag, value: "\${inputs.flag}" }
  - { name: agent, value: "\${inputs.user_agent}" }
`

const FILES = {
  'all/flow.yaml': flow('All', '{ path: "/all/{n}", auth: none, respond: when_finished }', ECHO_ALL),
  'body/flow.yaml': flow('Body', '{ path: /body, auth: none, respond: when_finished, max_body: 2000 }', ECHO_ALL),
  'query/flow.yaml': flow('Query', '{ path: /query, method: GET, auth: none, respond: when_finished }', ECHO_ALL),
  'headers/flow.yaml': flow(
    'Headers',
    '{ path: /headers, auth: none, respond: when_finished, input_mapping: headers }',
    ECHO_ALL,
  ),
  'map/flow.yaml': flow(
    'Mapped',
    '{ path: "/map/{id}", auth: none, respond: when_finished, input_mapping: { order: "${trigger.body.order.id}", from: "${trigger.params.id}-${trigger.query.q}" } }',
    `
inputs:
  - { name: order, type: integer, required: true }
  - { name: from, type: string }
steps:
  - { id: done, set: { text: "\${inputs.order}/\${inputs.from}" } }
outputs:
  - { name: text, value: "\${done.text}" }
`,
  ),
  'parts/flow.yaml': flow(
    'Parts',
    '{ path: "/parts/{id}", auth: none, respond: when_finished, input_mapping: { all: "${[body.n, path.id, query.q, headers[\'x-a\']]}" } }',
    `
inputs: [{ name: all, type: array }]
steps: [{ id: done, set: { all: "\${inputs.all}" } }]
outputs: [{ name: all, value: "\${done.all}" }]
`,
  ),
  'github/flow.yaml': flow(
    'Pushed',
    '{ path: /github, auth: { signature: github, secret: "${secrets.HOOK}", previous_secret: "${env.OLD_HOOK_KEY}" } }',
    'steps: [{ id: s, set: { a: "${trigger.body}" } }]\n',
  ),
  'slack/flow.yaml': flow(
    'Slacked',
    '{ path: /slack, auth: { type: signature, provider: slack, secret: "${secrets.HOOK}" } }',
    'steps: [{ id: s, set: { a: 1 } }]\n',
  ),
  'square/flow.yaml': flow(
    'Squared',
    '{ path: /square, auth: { signature: square, secret: "${secrets.HOOK}" } }',
    'steps: [{ id: s, set: { a: 1 } }]\n',
  ),
  'gitlab/flow.yaml': flow(
    'Labbed',
    '{ path: /gitlab, auth: { signature: { provider: gitlab, secret: "${secrets.HOOK}" } }, respond: when_finished }',
    `
steps: [{ id: done, set: { seen: "\${trigger.headers}" } }]
outputs: [{ name: seen, value: "\${done.seen}" }]
`,
  ),
  'accepted/flow.yaml': flow(
    'Accepted',
    '{ path: /accepted, auth: { type: api_key, header: X-Key, key: "${env.HOOK_KEY}" } }',
    `
inputs: [{ name: name, type: string, required: true }]
steps: [{ id: done, set: { seen: "\${trigger.headers}", body: "\${trigger.body}" } }]
outputs: [{ name: seen, value: "\${done.seen}" }]
`,
  ),
  'step/flow.yaml': flow(
    'Stepwise',
    '{ path: /step, auth: none, respond: { with_step: reply } }',
    `
inputs: [{ name: name, type: string }]
steps:
  - { id: reply, set: { status_code: 201, headers: { X-Name: "\${inputs.name}" }, body: "made" } }
  - { id: later, wait: 1h }
`,
  ),
  'fails/flow.yaml': flow(
    'Fails',
    '{ path: /fails, auth: none, respond: when_finished }',
    `
steps: [{ fail: { message: "the inner secret", code: broken } }]
`,
  ),
  'hmac/flow.yaml': flow(
    'Signed',
    '{ path: /signed, auth: { hmac: { header: X-Sig, secret: "${secrets.HOOK}", prefix: "sha256=" } }, respond: when_finished }',
    `
inputs: [{ name: foo, type: string }]
steps: [{ id: done, set: { foo: "\${inputs.foo}" } }]
outputs: [{ name: foo, value: "\${done.foo}" }]
`,
  ),
  'unset/flow.yaml': flow(
    'Unset',
    '{ path: /unset, auth: { bearer: { token: "${env.NOT_SET}" } } }',
    'steps: [{ id: s, set: { a: 1 } }]\n',
  ),
  'open/flow.yaml': flow('Open', '/open', 'steps: [{ id: s, set: { a: 1 } }]\n'),
}

let harness: Harness
const hook = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  harness.request(method, `/webhooks${path}`, body, { authorization: '', ...headers })

beforeAll(async () => {
  harness = await openHarness({
    files: FILES,
    environment: { HOOK_KEY: 'key-1', OLD_HOOK_KEY: 'oldsecret', PLUGWORK_SECRET_HOOK: 'mysecret' },
  })
})
afterAll(() => harness.close())

describe('inputs', () => {
  test('body: fields of a JSON object; what is not declared is no error', async () => {
    const answer = await hook('POST', '/body', { n: 3, flag: true, other: 1 })
    expect([answer.status, answer.json()]).toEqual([
      200,
      { body: { n: 3, flag: true, other: 1 }, n: 3, flag: true, agent: null },
    ])
  })

  test('body: a form, with text as the declared type', async () => {
    const answer = await hook('POST', '/body', 'n=4&flag=false', {
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect(answer.json()).toMatchObject({ n: 4, flag: false, body: { n: '4', flag: 'false' } })
  })

  test('body: text, and JSON that is no object, as a whole', async () => {
    const text = await hook('POST', '/body', 'grüße', { 'content-type': 'text/plain' })
    expect(text.json()).toMatchObject({ body: 'grüße', n: null })
    const list = await hook('POST', '/body', [1, 2])
    expect(list.json()).toMatchObject({ body: [1, 2] })
  })

  test('body: bytes with their type', async () => {
    const answer = await hook('POST', '/body', new Uint8Array([0, 255, 1]), { 'content-type': 'image/png' })
    expect(answer.json()).toMatchObject({ body: { content_type: 'image/png', size: 3, base64: 'AP8B' } })
  })

  test('body: a multipart form with a file', async () => {
    const form = new FormData()
    form.set('n', '5')
    form.set('file', new File(['a,b'], 'a.csv', { type: 'text/csv' }))
    const answer = await hook('POST', '/body', form)
    expect(answer.json()).toMatchObject({
      n: 5,
      body: { file: { name: 'a.csv', content_type: 'text/csv', size: 3, base64: 'YSxi' } },
    })
  })

  test('query', async () => {
    const answer = await hook('GET', '/query?n=7&flag=true')
    expect(answer.json()).toMatchObject({ n: 7, flag: true })
  })

  test('headers', async () => {
    const answer = await hook('POST', '/headers', undefined, { n: '8', 'user-agent': 'tester' })
    expect(answer.json()).toMatchObject({ n: 8, agent: 'tester' })
  })

  test('all: the path first, then body, query and headers', async () => {
    const answer = await hook('POST', '/all/9?flag=true', { n: 1 }, { 'user-agent': 'tester' })
    expect(answer.json()).toEqual({ body: { n: 1 }, n: 9, flag: true, agent: 'tester' })
  })

  test('a map of expressions', async () => {
    const answer = await hook('POST', '/map/a%2Fb?q=z', { order: { id: 12 } })
    expect([answer.status, answer.json()]).toEqual([200, { text: '12/a/b-z' }])
  })

  test('bad inputs name the input and make no run', async () => {
    const answer = await hook('POST', '/all/nine')
    expect([answer.status, answer.json().code]).toEqual([422, 'inputs_invalid'])
    expect(answer.json().problems).toEqual([{ input: 'n', message: '`n` must be a whole number, but is text.' }])
  })
})

describe('answers', () => {
  test('when_accepted: 202 with the id of a run that is stored', async () => {
    const answer = await hook('POST', '/accepted', { name: 'Ann' }, { 'x-key': 'key-1', 'x-other': 'o' })
    expect(answer.status).toBe(202)
    const run = await harness.store.findRun('default', answer.json().id as string)
    expect(answer.headers.get('x-plugwork-run')).toBe(answer.json().id)
    expect(run).toMatchObject({ flow: 'Accepted', inputs: { name: 'Ann' }, trigger: { kind: 'webhook', index: 0 } })
  })

  test('a run sees its request, without the credentials in it', async () => {
    const headers = { 'x-key': 'key-1', 'x-other': 'o', cookie: 'a=b', authorization: 'Bearer x' }
    const answer = await hook('POST', '/accepted', { name: 'Ann' }, headers)
    const id = answer.json().id as string
    const run = await until(
      () => harness.store.findRun('default', id),
      (row) => row?.status === 'succeeded',
    )
    expect(run?.outputs?.seen).toMatchObject({ 'x-other': 'o' })
    expect(JSON.stringify(run)).not.toMatch(/key-1|cookie|Bearer x/)
  })

  test('with_step: the step’s value is the response, while the run goes on', async () => {
    const answer = await hook('POST', '/step', { name: 'Ann' })
    expect([answer.status, answer.text, answer.headers.get('x-name')]).toEqual([201, 'made', 'Ann'])
    expect(answer.headers.get('content-security-policy')).toContain('sandbox')
    const [run] = await harness.store.listRuns({ tenant: 'default', flow: 'Stepwise', limit: 1 })
    expect(run?.finishedAt).toBeNull()
  })

  test('a run that fails is a problem with its id, and tells the caller nothing of its inside', async () => {
    const answer = await hook('POST', '/fails')
    expect([answer.status, answer.json()]).toMatchObject([500, { code: 'run_failed', run_status: 'failed' }])
    expect(answer.text).not.toContain('inner secret')
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
  })

  test('the same Idempotency-Key gives the same run', async () => {
    const headers = { 'x-key': 'key-1', 'idempotency-key': 'once' }
    const [first, second] = [
      await hook('POST', '/accepted', { name: 'Ann' }, headers),
      await hook('POST', '/accepted', { name: 'Ann' }, headers),
    ]
    expect(second.json().id).toBe(first.json().id)
  })
})

describe('refusals', () => {
  test.each<[string, string, string, unknown, Record<string, string>, number, string]>([
    ['an unknown path', 'POST', '/nothing', undefined, {}, 404, 'webhook_not_found'],
    ['a path that is one segment too long', 'POST', '/all/1/2', undefined, {}, 404, 'webhook_not_found'],
    ['an empty parameter', 'POST', '/all/', undefined, {}, 404, 'webhook_not_found'],
    ['another method', 'PUT', '/body', undefined, {}, 405, 'method_not_allowed'],
    [
      'a body past the limit',
      'POST',
      '/body',
      'x'.repeat(2001),
      { 'content-type': 'text/plain' },
      413,
      'body_too_large',
    ],
    ['a body that is not JSON', 'POST', '/body', '{', { 'content-type': 'application/json' }, 400, 'body_invalid'],
    [
      'text that is not UTF-8',
      'POST',
      '/body',
      new Uint8Array([0xff]),
      { 'content-type': 'text/plain' },
      400,
      'body_invalid',
    ],
    ['a type that is none', 'POST', '/body', 'x', { 'content-type': 'nonsense' }, 415, 'media_type_unsupported'],
    ['a broken multipart form', 'POST', '/body', 'x', { 'content-type': 'multipart/form-data' }, 400, 'body_invalid'],
    ['no key', 'POST', '/accepted', { name: 'x' }, {}, 401, 'unauthenticated'],
    ['a wrong key', 'POST', '/accepted', { name: 'x' }, { 'x-key': 'key-2' }, 401, 'unauthenticated'],
    [
      'a key for a secret that is not set',
      'POST',
      '/unset',
      {},
      { authorization: 'Bearer ' },
      503,
      'webhook_secret_missing',
    ],
    [
      'a page of another site',
      'POST',
      '/open',
      undefined,
      { 'sec-fetch-site': 'cross-site' },
      403,
      'cross_site_refused',
    ],
  ])('%s', async (_, method, path, body, headers, status, code) => {
    const before = (await harness.store.listRuns({ tenant: 'default', limit: 100 })).length
    const answer = await hook(method, path, body, headers)
    expect([answer.status, answer.json().code]).toEqual([status, code])
    expect((await harness.store.listRuns({ tenant: 'default', limit: 100 })).length).toBe(before)
  })

  test('405 names the methods that there are', async () => {
    const answer = await hook('GET', '/body')
    expect(answer.headers.get('allow')).toBe('POST')
  })

  test('a signature of the exact bytes is needed', async () => {
    const sign = (text: string) => ({
      'content-type': 'application/json',
      'x-sig': `sha256=${createHmac('sha256', 'mysecret').update(text).digest('hex')}`,
    })
    const good = await hook('POST', '/signed', '{"foo":"bar"}', sign('{"foo":"bar"}'))
    expect([good.status, good.json()]).toEqual([200, { foo: 'bar' }])
    const bad = await hook('POST', '/signed', '{"foo": "bar"}', sign('{"foo":"bar"}'))
    expect(bad.status).toBe(401)
  })
})

test('beyond loopback a webhook without auth is not served, one that says none is', async () => {
  await using exposed = await openHarness({
    files: { 'a/flow.yaml': FILES['open/flow.yaml'], 'b/flow.yaml': FILES['body/flow.yaml'] },
    settings: { host: '0.0.0.0' },
  })
  const undecided = await exposed.request('POST', '/webhooks/open', undefined, { authorization: '' })
  expect([undecided.status, undecided.json().code]).toEqual([403, 'webhook_auth_undecided'])
  const open = await exposed.request('POST', '/webhooks/body', {}, { authorization: '' })
  expect(open.status).toBe(200)
})

test('a full system answers 429 and when to try again, and stores nothing', async () => {
  const held = flow('Held', '{ path: /hold, auth: none }', 'steps: [{ id: h, task: Hold }]\n')
  const tasks = `
    export const Hold = (_: object, ctx: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('stopped'))))
  `
  const files = { 'flow.yaml': held, 'tasks.ts': tasks }
  await using full = await openHarness({ files, runtime: { maxActive: 1, maxOpen: 2 } })
  const answers: Answer[] = []
  for (let time = 0; time < 4; time += 1) {
    answers.push(await full.request('POST', '/webhooks/hold', undefined, { authorization: '' }))
  }
  const statuses = new Set(answers.map(({ status }) => status))
  const refused = answers.find(({ status }) => status === 429)
  expect([...statuses]).toEqual([202, 429])
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(refused?.json().code).toBe('full')
  const stored = await full.store.listRuns({ tenant: 'default', limit: 100 })
  expect(stored.length).toBe(answers.filter(({ status }) => status === 202).length)
})

describe('signed by a service', () => {
  const hmac = (key: string, text: string, encoding: 'hex' | 'base64' = 'hex') =>
    createHmac('sha256', key).update(text).digest(encoding)
  const push = (body: string, key: string, delivery: string, more: Record<string, string> = {}) =>
    hook('POST', '/github', body, {
      'content-type': 'application/json',
      'x-hub-signature-256': `sha256=${hmac(key, body)}`,
      'x-github-delivery': delivery,
      ...more,
    })
  const runsOf = async (name: string) =>
    ((await harness.request('GET', `/api/v1/runs?flow=${name}`)).json().runs as unknown[]).length

  test('the bytes count, the earlier secret too, and a repeated delivery is one run', async () => {
    const first = await push('{ "n":1 }', 'mysecret', 'd-1')
    const again = await push('{ "n":1 }', 'mysecret', 'd-1')
    const old = await push('{"n":2}', 'oldsecret', 'd-2')
    expect([first.status, old.status]).toEqual([202, 202])
    expect(again.json().id).toBe(first.json().id)
    expect(await runsOf('Pushed')).toBe(2)
  })

  test('what is not signed by it is 401 and starts nothing', async () => {
    const before = await runsOf('Pushed')
    const answers = [
      await push('{"n":3}', 'other', 'd-3'),
      await push('{"n":3}', 'mysecret', 'd-4', { 'x-hub-signature-256': `sha256=${hmac('mysecret', '{ "n":3}')}` }),
      await hook('POST', '/github', '{"n":3}', { 'content-type': 'application/json' }),
    ]
    expect(answers.map((answer) => [answer.status, answer.json().code])).toEqual(
      answers.map(() => [401, 'unauthenticated']),
    )
    expect(await runsOf('Pushed')).toBe(before)
  })

  test('an old request is refused, a test of the address is answered without a run', async () => {
    const send = (body: string, seconds: number) => {
      const time = String(Math.floor(Date.now() / 1_000) - seconds)
      const signature = `v0=${hmac('mysecret', `v0:${time}:${body}`)}`
      const headers = { 'x-slack-signature': signature, 'x-slack-request-timestamp': time }
      return hook('POST', '/slack', body, { 'content-type': 'application/json', ...headers })
    }
    const challenge = await send('{"type":"url_verification","challenge":"c"}', 0)
    expect([challenge.status, challenge.json()]).toEqual([200, { challenge: 'c' }])
    const old = await send('{"event_id":"E1"}', 3_600)
    expect([old.status, old.json().detail]).toEqual([401, expect.stringContaining('more than 300 s')])
    expect(await runsOf('Slacked')).toBe(0)
    const [one, two] = [await send('{"event_id":"E1"}', 0), await send('{"event_id":"E1"}', 1)]
    expect([one.status, two.json().id]).toEqual([202, one.json().id])
  })

  test('a signed address is the public one of the server', async () => {
    const signature = hmac('mysecret', 'http://localhost:7420/webhooks/square{}', 'base64')
    const answer = await hook('POST', '/square', '{}', { 'x-square-hmacsha256-signature': signature })
    expect(answer.status).toBe(202)
  })

  test('a token in a header lets in and stays out of the run', async () => {
    const answer = await hook('POST', '/gitlab', undefined, { 'x-gitlab-token': 'mysecret', 'x-gitlab-event': 'Push' })
    expect(answer.status).toBe(200)
    expect(answer.text).toContain('Push')
    expect(answer.text).not.toContain('mysecret')
    expect((await hook('POST', '/gitlab', undefined, { 'x-gitlab-token': 'mysecre' })).status).toBe(401)
  })
})

test('a map sees the parts of the request by their names', async () => {
  const answer = await hook('POST', '/parts/7?q=x', { n: 5 }, { 'x-a': 'y' })
  expect([answer.status, answer.json()]).toEqual([200, { all: [5, '7', 'x', 'y'] }])
})

test('who guesses is slowed down; a key that was right before is heard', async () => {
  await using own = await openHarness({
    files: { 'accepted/flow.yaml': FILES['accepted/flow.yaml'] },
    environment: { HOOK_KEY: 'key-1' },
  })
  const send = (key: string) =>
    own.request('POST', '/webhooks/accepted', { name: 'x' }, { authorization: '', 'x-key': key })
  expect((await send('key-1')).status).toBe(202)
  for (let n = 0; n < 30; n += 1) expect((await send(`guess-${n}`)).status).toBe(401)
  const refused = await send('guess-31')
  expect(refused.json()).toMatchObject({ status: 429, code: 'too_many_attempts' })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await send('key-1')).status).toBe(202)
})
