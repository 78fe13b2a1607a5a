/** `/metrics` of a working server, read by the grammar of the Prometheus text format (version 0.0.4). */
import { expect, test } from 'vitest'
import { openHarness } from '../testing/harness.ts'

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\n]|\\\\[\\\\"n])*"`
const SAMPLE = new RegExp(
  `^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)?\\})? (-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|NaN|[+-]Inf)$`,
  'i',
)
const FLOW = 'flow: Hello\ntriggers: [{ webhook: { path: /hello, auth: none } }]\nsteps: [{ id: s, set: { a: 1 } }]\n'

interface Family {
  readonly type: string
  readonly samples: { readonly name: string; readonly labels: string; readonly value: number }[]
}

/** Throws for what a strict reader refuses: lines of no kind, samples without a head, families in pieces, doubled samples. */
function read(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let current = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const head = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line)
    if (head !== null) {
      const [, kind, name, rest] = head as unknown as [string, string, string, string]
      if (kind === 'HELP') continue
      if (families.has(name)) throw new Error(`${name} has two heads`)
      if (!/^(counter|gauge|histogram)$/.test(rest)) throw new Error(`${name} has the type ${rest}`)
      families.set(name, { type: rest, samples: [] })
      current = name
      continue
    }
    const sample = SAMPLE.exec(line)
    if (sample === null) throw new Error(`not a sample: ${line}`)
    const [, name, labels = '', value] = sample as unknown as [string, string, string | undefined, string]
    const family = families.get(current)
    const suffix = name.slice(current.length)
    const allowed = family?.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    if (family === undefined || !name.startsWith(current) || !allowed.includes(suffix))
      throw new Error(`${name} stands under ${current}`)
    if (seen.has(`${name}{${labels}}`)) throw new Error(`${name}{${labels}} is there twice`)
    seen.add(`${name}{${labels}}`)
    family.samples.push({ name, labels, value: Number(value.replace('Inf', 'Infinity')) })
  }
  return families
}

test('is the Prometheus text format, counts what happened, and has no label that callers can grow', async () => {
  await using harness = await openHarness({ files: { 'flow.yaml': FLOW } })
  for (let count = 0; count < 3; count++) await harness.request('POST', '/webhooks/hello', {})
  for (const path of ['/a"b', '/a\\b', '/x1', '/x2']) await harness.request('GET', path)
  const answer = await harness.request('GET', '/metrics')
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const families = read(answer.text)
  const total = (name: string, label = '') =>
    families
      .get(name.replace(/_(?:count|sum|bucket)$/, ''))!
      .samples.filter((sample) => sample.name === name && sample.labels.includes(label))
      .reduce((sum, { value }) => sum + value, 0)
  expect(total('plugwork_runs_total')).toBe(3)
  expect(total('plugwork_http_request_duration_seconds_count', 'route="/webhooks/*"')).toBe(3)
  expect(total('plugwork_http_request_duration_seconds_count', 'route="unmatched"')).toBe(4)
  for (const [name, { type, samples }] of families) {
    expect([name, samples.length > 0]).toEqual([name, true])
    if (type === 'counter') expect(name).toMatch(/_total$/)
    for (const { value } of samples) expect(value).toBeGreaterThanOrEqual(0)
  }
})
