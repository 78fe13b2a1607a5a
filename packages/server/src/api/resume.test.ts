import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHarness, until } from '../testing/harness.ts'
import type { Harness } from '../testing/harness.ts'

const FILES = {
  'ask/flow.yaml': `
flow: Ask
steps:
  - id: link
    set: { url: "\${wait_url('decide')}" }
  - id: decide
    wait:
      approval:
        title: Pay?
        form: { type: object, required: [amount], properties: { amount: { type: integer, title: "How <much>" }, note: { type: string } } }
        timeout: 1h
outputs:
  - { name: outcome, value: "\${decide.outcome}" }
  - { name: data, value: "\${decide.data}" }
`,
  'call/flow.yaml': `
flow: Call
steps:
  - { id: link, set: { url: "\${wait_url('back')}" } }
  - { id: back, wait: { webhook: { schema: { type: object, required: [ok] } }, timeout: 1h } }
outputs:
  - { name: data, value: "\${back.data}" }
`,
}

let harness: Harness
beforeAll(async () => {
  harness = await openHarness({ files: FILES })
})
afterAll(() => harness.close())

/** Starts a run and answers its id and the path of its link. */
async function waiting(flow: string): Promise<{ readonly id: string; readonly path: string }> {
  const id = (await harness.request('POST', `/api/v1/flows/${flow}/runs`, {})).json().id as string
  const run = await until(
    () => harness.server.runtime.get('default', id),
    (detail) => detail?.status === 'waiting',
  )
  const link = run?.steps.find((step) => step.path === 'link')?.output as { url: string }
  const url = new URL(link.url)
  return { id, path: url.pathname + url.search }
}

const open = (path: string) => harness.request('GET', path, undefined, { authorization: '', accept: 'text/html' })
const send = (path: string, fields: Record<string, string>) =>
  harness.request('POST', path, new URLSearchParams(fields).toString(), {
    authorization: '',
    accept: 'text/html,*/*',
    'content-type': 'application/x-www-form-urlencoded',
  })
const call = (path: string, body: unknown) => harness.request('POST', path, body, { authorization: '' })
const outputs = async (id: string) => {
  const run = await until(
    () => harness.store.findRun('default', id),
    (row) => row?.finishedAt !== null,
  )
  return run?.outputs
}

describe('an approval', () => {
  test('is a page with its form; opening it, however often, changes nothing', async () => {
    const { id, path } = await waiting('Ask')
    for (let time = 0; time < 3; time += 1) {
      const page = await open(path)
      expect(page.status).toBe(200)
      expect(page.text).toContain('How &lt;much&gt;')
      expect(page.text).not.toContain('<script')
      expect(page.headers.get('content-security-policy')).toContain("form-action 'self'")
      expect(page.headers.get('referrer-policy')).toBe('no-referrer')
    }
    expect((await harness.store.findRun('default', id))?.status).toBe('waiting')
  })

  test('is given by the form, once', async () => {
    const { id, path } = await waiting('Ask')
    const bad = await send(path, { decision: 'approve', 'field.amount': 'many' })
    expect(bad.status).toBe(422)
    expect(bad.text).toContain('role="alert"')
    const good = await send(path, { decision: 'approve', 'field.amount': '12', 'field.note': 'ok' })
    expect([good.status, good.text]).toEqual([200, expect.stringContaining('Thank you')])
    expect(await outputs(id)).toEqual({ outcome: 'approved', data: { amount: 12, note: 'ok' } })
    const again = await send(path, { decision: 'reject' })
    expect(again.status).toBe(410)
  })

  test('is refused with an empty form', async () => {
    const { id, path } = await waiting('Ask')
    expect((await send(path, { decision: 'reject' })).status).toBe(200)
    expect(await outputs(id)).toMatchObject({ outcome: 'rejected' })
  })

  test('is taken from programs as JSON', async () => {
    const { id, path } = await waiting('Ask')
    const undecided = await call(path, { amount: 1 })
    expect([undecided.status, undecided.json().code]).toEqual([422, 'inputs_invalid'])
    const good = await call(path, { decision: 'approve', data: { amount: 3 } })
    expect([good.status, good.json()]).toEqual([200, { status: 'accepted', run_id: id }])
    expect(await outputs(id)).toEqual({ outcome: 'approved', data: { amount: 3 } })
  })
})

describe('a webhook wait', () => {
  test('takes the body as its data', async () => {
    const { id, path } = await waiting('Call')
    const bad = await call(path, { no: 1 })
    expect([bad.status, bad.json().code]).toEqual([422, 'inputs_invalid'])
    expect((await call(path, { ok: true })).status).toBe(200)
    expect(await outputs(id)).toEqual({ data: { ok: true } })
    const late = await call(path, { ok: true })
    expect([late.status, late.json().code]).toEqual([410, 'wait_expired'])
  })
})

describe('a link', () => {
  test('with another token, wait or run leads nowhere, and says nothing of what there is', async () => {
    const { id, path } = await waiting('Ask')
    const token = new URLSearchParams(path.split('?')[1]).get('token')!
    for (const wrong of [
      `/resume/${id}/decide?token=${token.slice(1)}0`,
      `/resume/${id}/decide`,
      `/resume/${id}/other?token=${token}`,
      `/resume/0192aaaa/decide?token=${token}`,
    ]) {
      const answer = await call(wrong, { decision: 'approve', data: { amount: 1 } })
      expect([answer.status, answer.json().code]).toEqual([404, 'wait_not_found'])
      expect((await open(wrong)).status).toBe(404)
    }
    expect((await harness.store.findRun('default', id))?.status).toBe('waiting')
  })
})
