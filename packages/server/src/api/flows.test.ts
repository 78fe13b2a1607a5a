import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHarness, until } from '../testing/harness.ts'
import type { Harness } from '../testing/harness.ts'
import { flowDetailSchema } from './shapes.ts'

const FILE_FLOW = `
flow: FromFile
description: The first one.
inputs: [{ name: n, type: integer, required: true, description: A number. }, { name: key, type: secret }]
triggers: [{ webhook: { path: /file, auth: { bearer: { token: written-by-hand } } } }]
steps: [{ id: s, set: { n: "\${inputs.n}" } }]
`
const uploaded = (value: number) => `
flow: Uploaded
triggers: [{ webhook: { path: /uploaded, auth: none, respond: when_finished } }]
steps: [{ id: s, set: { v: ${value} } }]
outputs: [{ name: v, value: "\${s.v}" }]
`

let harness: Harness
beforeAll(async () => {
  harness = await openHarness({
    files: { 'flow.yaml': FILE_FLOW, 'broken/flow.yaml': 'flow: Broken\nsteps: [{ tsk: x }]\n' },
    mayBeBroken: true,
    settings: { envAllow: ['PUBLIC_*'] },
    environment: { PUBLIC_NAME: 'Ann', PRIVATE_NAME: 'Bob' },
  })
})
afterAll(() => harness.close())

const put = (name: string, source: string, type = 'application/yaml') =>
  harness.request('PUT', `/api/v1/flows/${name}`, source, { 'content-type': type })

describe('flows of files', () => {
  test('are listed with the problems of those that are not served', async () => {
    const { flows, problems } = (await harness.request('GET', '/api/v1/flows')).json() as {
      flows: { name: string }[]
      problems: object[]
    }
    expect(flows.map(({ name }) => name)).toContain('FromFile')
    expect(problems).toContainEqual(expect.objectContaining({ file: 'broken/flow.yaml', severity: 'error' }))
  })

  test('one has its source, its inputs as a schema, and no credentials of its triggers', async () => {
    const answer = await harness.request('GET', '/api/v1/flows/FromFile')
    const flow = answer.json()
    expect(flowDetailSchema.safeParse(flow).error).toBeUndefined()
    expect(flow).toMatchObject({ origin: 'file', file: 'flow.yaml', description: 'The first one.', source: FILE_FLOW })
    expect(flow.inputs).toMatchObject({
      type: 'object',
      required: ['n'],
      properties: { n: { type: 'integer', description: 'A number.' }, key: { writeOnly: true } },
    })
    expect(JSON.stringify(flow.triggers)).not.toContain('written-by-hand')
  })

  test('cannot be put or deleted', async () => {
    for (const answer of [
      await put('FromFile', FILE_FLOW),
      await harness.request('DELETE', '/api/v1/flows/FromFile'),
    ]) {
      expect([answer.status, answer.json()]).toMatchObject([409, { code: 'flow_is_file', file: 'flow.yaml' }])
    }
  })

  test('can be disabled and enabled, which outlives a restart', async () => {
    await using first = await openHarness({ files: { 'flow.yaml': FILE_FLOW } })
    expect((await first.request('POST', '/api/v1/flows/FromFile/disable')).json().enabled).toBe(false)
    const start = await first.request('POST', '/api/v1/flows/FromFile/runs', { inputs: { n: 1 } })
    expect([start.status, start.json().code]).toEqual([409, 'flow_disabled'])
    expect((await first.request('POST', '/webhooks/file', {})).status).toBe(404)
    await first.close({ keep: true })
    await using second = await openHarness({ folder: first.folder })
    expect((await second.request('GET', '/api/v1/flows/FromFile')).json().enabled).toBe(false)
    await second.request('POST', '/api/v1/flows/FromFile/enable')
    expect((await second.request('POST', '/api/v1/flows/FromFile/runs', { inputs: { n: 1 } })).status).toBe(202)
  })
})

describe('flows that are put', () => {
  test('are created, served, replaced and deleted', async () => {
    const created = await put('Uploaded', uploaded(1))
    expect([created.status, created.json().origin]).toEqual([201, 'api'])
    expect((await harness.request('POST', '/webhooks/uploaded')).json()).toEqual({ v: 1 })
    const replaced = await put('Uploaded', JSON.stringify({ source: uploaded(2) }), 'application/json')
    expect(replaced.status).toBe(200)
    expect((await harness.request('POST', '/webhooks/uploaded')).json()).toEqual({ v: 2 })
    const { versions } = (await harness.request('GET', '/api/v1/flows/Uploaded/versions')).json() as {
      versions: { hash: string; current: boolean }[]
    }
    expect(versions.length).toBe(2)
    expect(versions.filter(({ current }) => current)).toEqual([expect.objectContaining({ hash: replaced.json().hash })])
    expect((await harness.request('DELETE', '/api/v1/flows/Uploaded')).status).toBe(204)
    expect((await harness.request('POST', '/webhooks/uploaded')).status).toBe(404)
    expect((await harness.request('DELETE', '/api/v1/flows/Uploaded')).status).toBe(404)
  })

  test('are taken as a JSON document too', async () => {
    const document = { flow: 'AsJson', steps: [{ id: 's', set: { a: 1 } }] }
    expect((await put('AsJson', JSON.stringify(document), 'application/json')).status).toBe(201)
  })

  test('are there after a restart', async () => {
    await using first = await openHarness()
    await first.request('PUT', '/api/v1/flows/Uploaded', uploaded(3), { 'content-type': 'application/yaml' })
    await first.close({ keep: true })
    await using second = await openHarness({ folder: first.folder })
    expect((await second.request('POST', '/webhooks/uploaded')).json()).toEqual({ v: 3 })
  })

  test.each<[string, string, string, string, number, string]>([
    ['with errors', 'Bad', 'flow: Bad\nsteps: [{ tsk: x }]\n', 'application/yaml', 422, 'flow_invalid'],
    ['that are not YAML', 'Bad', 'flow: [', 'application/yaml', 422, 'flow_invalid'],
    ['under another name', 'Other', uploaded(1), 'application/yaml', 422, 'flow_name_mismatch'],
    ['that use a task', 'Bad', 'flow: Bad\nsteps: [{ task: Work, id: w }]\n', 'application/yaml', 422, 'flow_invalid'],
    ['of another type', 'Bad', 'x', 'image/png', 415, 'media_type_unsupported'],
  ])('%s are refused', async (_, name, source, type, status, code) => {
    const answer = await put(name, source, type)
    expect([answer.status, answer.json().code]).toEqual([status, code])
    expect((await harness.request('GET', `/api/v1/flows/${name}`)).status).toBe(404)
  })

  test('a task that cannot be there is named', async () => {
    const answer = await put('Bad', 'flow: Bad\nsteps: [{ task: Work, id: w }]\n')
    expect(answer.json().problems).toContainEqual(expect.objectContaining({ code: 'PW1055', line: 2 }))
  })

  test('read only the environment that is allowed', async () => {
    const source = `
flow: Env
steps: [{ id: s, set: { public: "\${env.PUBLIC_NAME}", private: "\${env.PRIVATE_NAME}" } }]
outputs: [{ name: seen, value: "\${s}" }]
`
    expect((await put('Env', source)).status).toBe(201)
    const run = await harness.request('POST', '/api/v1/flows/Env/execute', {})
    expect(run.json().outputs).toEqual({ seen: { public: 'Ann', private: null } })
  })
})

describe('check', () => {
  const check = (name: string, source?: string) =>
    harness.request(
      'POST',
      `/api/v1/flows/${name}/check`,
      source,
      source === undefined ? {} : { 'content-type': 'application/yaml' },
    )

  test('reports on a document without storing it', async () => {
    const good = await check('New', uploaded(1))
    expect(good.json().ok).toBe(true)
    const bad = await check('New', 'flow: New\nsteps: [{ tsk: x }]\n')
    expect([bad.status, bad.json().ok]).toEqual([200, false])
    expect((await harness.request('GET', '/api/v1/flows/New')).status).toBe(404)
  })

  test('reports on the served flow without a document', async () => {
    expect((await check('FromFile')).json()).toEqual({
      ok: true,
      problems: [expect.objectContaining({ code: 'PW1084' })],
    })
    expect((await check('Nothing')).status).toBe(404)
  })
})

describe('files that change while the server runs', () => {
  const version = (value: number) => uploaded(value).replaceAll('Uploaded', 'Live').replaceAll('uploaded', 'live')
  const call = () => harness.request('POST', '/webhooks/live')

  test('are served as they are now, keep their last good version, and go with their file', async () => {
    await harness.write('live/flow.yaml', version(1))
    await until(call, (answer) => answer.status === 200)
    expect((await call()).json()).toEqual({ v: 1 })

    await harness.write('live/flow.yaml', version(2))
    // Never anything but one version or the other: there is no gap.
    const seen = new Set<string>()
    await until(call, (answer) => {
      seen.add(`${answer.status} ${answer.text}`)
      return answer.text === '{"v":2}'
    })
    expect([...seen].every((answer) => answer === '200 {"v":1}' || answer === '200 {"v":2}')).toBe(true)

    await harness.write('live/flow.yaml', 'flow: Live\nsteps: [{ tsk: x }]\n')
    await until(
      async () => (await harness.request('GET', '/api/v1/flows')).text,
      (text) => text.includes('live/flow.yaml'),
    )
    await until(
      async () => (await harness.request('GET', '/api/v1/flows')).json().problems as { file: string }[],
      (problems) => problems.some(({ file }) => file === 'live/flow.yaml'),
    )
    expect((await call()).json()).toEqual({ v: 2 })

    const { rm } = await import('node:fs/promises')
    await rm(`${harness.project.directory}/live/flow.yaml`)
    await until(call, (answer) => answer.status === 404)
  })
})
