/**
 * The server's figures, of the packed packages: start, memory, webhook with an HTTP call, ten pure steps. After each series
 * the server is killed (SIGKILL) and started again, and every answered run must be there, finished, with its trace.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { api, freePort, kill, median, ms, perSecond, pss, ready, until, type Row, type Workbench } from './harness.ts'

const SECONDS = 6
/** Each side is read right after its own warm-up: the compiler needs some ten seconds of load to have done its work. */
const WARM_UP_SECONDS = 10
const SERIES = 3
/** An idle server gives memory back after some 8 s; readings of memory are of a server at rest. */
const REST_MS = 12_000

/** Checks a sample of the answered runs with their traces, and the count of all. */
async function findAnswered(port: number, idFile: string, flow: string): Promise<number> {
  const ids = readFileSync(idFile, 'utf8').split('\n').filter(Boolean)
  if (ids.length === 0) throw new Error('the answers named no run')
  const missing: string[] = []
  const found = new Set<string>()
  let cursor = ''
  for (;;) {
    const page = (await api(port, `/api/v1/runs?flow=${flow}&limit=200${cursor}`)) as {
      runs: { id: string; status: string }[]
      next_cursor: string | null
    }
    for (const run of page.runs) if (run.status === 'succeeded') found.add(run.id)
    if (!page.next_cursor) break
    cursor = `&cursor=${encodeURIComponent(page.next_cursor)}`
  }
  for (const id of ids) if (!found.has(id)) missing.push(id)
  if (missing.length > 0)
    throw new Error(
      `${missing.length} of ${ids.length} answered ${flow} runs are not finished after the kill: ${missing[0]}`,
    )
  for (let i = 0; i < ids.length; i += Math.ceil(ids.length / 200)) {
    const run = (await api(port, `/api/v1/runs/${ids[i]}`)) as { status: string; steps: unknown[] }
    if (run.status !== 'succeeded' || run.steps.length === 0)
      throw new Error(`run ${ids[i]} has no trace after the kill`)
  }
  return ids.length
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, REST_MS))
}

export async function benchServer(bench: Workbench): Promise<Row[]> {
  const rows: Row[] = []
  const stub = await bench.script('stub.ts')
  const env = { BENCH_STUB: `http://127.0.0.1:${stub.line}` }
  const port = await freePort()
  const byHand = await bench.script('by-hand.ts', stub.line)

  // Start: process start to the first webhook answered, of a project that was started before.
  const starts: number[] = []
  let idle = 0
  for (let i = 0; i < 6; i++) {
    const began = performance.now()
    const server = bench.server({ data: 'start', port, env })
    await until(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/webhooks/ten-pure`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"n":1}',
      })
      return response.ok ? true : null
    }, 20_000)
    starts.push(performance.now() - began)
    if (i === 5) {
      await rest()
      idle = pss(server)
    }
    await kill(server)
  }
  const start = median(starts.slice(1))
  rows.push({ name: 'process start to first webhook answered', value: ms(start), target: '< 700 ms', ok: start < 700 })
  rows.push({ name: 'idle memory (PSS)', value: `${idle.toFixed(0)} MB`, target: '< 90 MB', ok: idle < 90 })

  let server = bench.server({ data: 'webhook', port, env })
  await ready(port)
  const ours: number[] = []
  const hand: number[] = []
  const p99: number[] = []
  const ids = join(bench.folder, 'ids')
  let answered = 0
  let memory = 0
  let busy = 0
  for (let i = 0; i < SERIES; i++) {
    await bench.load(Number(byHand.line), '/', 50, WARM_UP_SECONDS)
    hand.push((await bench.load(Number(byHand.line), '/', 50, SECONDS)).perSecond)
    await bench.load(port, '/webhooks/quote', 50, WARM_UP_SECONDS)
    const mine = await bench.load(port, '/webhooks/quote', 50, SECONDS, ids)
    if (mine.errors > 0) throw new Error(`${mine.errors} errors in the webhook series`)
    ours.push(mine.perSecond)
    p99.push(mine.p99)
    if (i === SERIES - 1) {
      busy = pss(server)
      await rest()
      memory = pss(server)
    }
    await kill(server)
    server = bench.server({ data: 'webhook', port, env })
    await ready(port)
    answered += await findAnswered(port, ids, 'Quote')
  }
  const ratio = median(ours) / median(hand)
  const webhook = 'webhook -> 3 pure steps -> HTTP GET -> response'
  rows.push({
    name: webhook,
    value: perSecond(median(ours)),
    baseline: `by hand ${perSecond(median(hand))}`,
    ratio,
    target: '>= 0.33x',
    ok: ratio >= 0.33,
  })
  rows.push({
    name: `  its p99 (${answered.toLocaleString('en')} answered runs found after the kills)`,
    value: ms(median(p99)),
    target: '< 25 ms',
    ok: median(p99) < 25,
  })
  rows.push({
    name: `memory after the webhook series, at rest (PSS; ${busy.toFixed(0)} MB as the last answer came)`,
    value: `${memory.toFixed(0)} MB`,
    target: '< 160 MB',
    ok: memory < 160,
  })
  await kill(server)

  server = bench.server({ data: 'pure', port, env })
  await ready(port)
  await bench.load(port, '/webhooks/ten-pure', 50, 3)
  const pure: number[] = []
  for (let i = 0; i < SERIES; i++) pure.push((await bench.load(port, '/webhooks/ten-pure', 50, SECONDS, ids)).perSecond)
  await kill(server)
  server = bench.server({ data: 'pure', port, env })
  await ready(port)
  await findAnswered(port, ids, 'TenPure')
  await kill(server)
  const pureRatio = median(pure) / median(hand)
  rows.push({
    name: 'flow of 10 pure steps, stored, 50 in flight',
    value: perSecond(median(pure)),
    baseline: `by hand, with its GET ${perSecond(median(hand))}`,
    ratio: pureRatio,
    target: '>= 5,000/s',
    ok: median(pure) >= 5000,
  })
  await kill(byHand.child)
  await kill(stub.child)
  return rows
}
