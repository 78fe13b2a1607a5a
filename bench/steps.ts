/** Journaled steps: many runs at once, one run alone, a fan-out; against the same statements without the engine. */
import { join, dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { openSqliteStore, type Runtime } from '@plugwork/core/node'
import { median, ms, perSecond, type Row } from './harness.ts'
import { openBench, runFlow, type Bench } from './in-process.ts'

export const TEN_TASKS = `flow: TenTasks
inputs:
  - { name: n, type: integer, required: true }
steps:
${Array.from({ length: 10 }, (_, i) => `  - { task: Noop, id: s${i}, inputs: { n: "\${inputs.n}" }, outputs: [n] }`).join('\n')}
outputs:
  - { name: n, value: "\${s9.n}" }
`

const FAN_OUT = `flow: FanOut
inputs:
  - { name: count, type: integer, required: true }
steps:
  - task: MakeItems
    id: made
    inputs: { count: "\${inputs.count}" }
    outputs: [items]
  - id: loop
    for_each: "\${made.items}"
    as: item
    concurrency: 100
    collect: "\${work.text}"
    do:
      - { task: Work, id: work, inputs: { item: "\${item}" }, outputs: [text] }
outputs:
  - { name: count, value: "\${loop.results.length}" }
`

const PURE = `flow: Pure
inputs:
  - { name: count, type: integer, required: true }
steps:
  - id: loop
    repeat:
      vars: { i: 0 }
      do:
        - { id: next, set: { value: "\${i + 1}" } }
      next: { i: "\${next.value}" }
      until: "next.value >= inputs.count"
      max: 1000000
outputs:
  - { name: i, value: "\${inputs.count}" }
`

const hundred = 'x'.repeat(100)
const tasks = {
  Noop: (inputs: { n?: unknown }) => ({ n: inputs.n }),
  MakeItems: (inputs: { count?: unknown }) => ({ items: Array.from({ length: Number(inputs.count) }, (_, i) => i) }),
  Work: () => ({ text: hundred }),
}

interface Replayed {
  readonly records: number
  readonly milliseconds: number
}

/** Stores what the bench has stored once more, without the engine. */
async function replay(bench: Bench, batchSizes: readonly number[], name: string): Promise<Replayed> {
  const empty = join(dirname(bench.file), `empty-${name}.db`)
  const fresh = await openSqliteStore({ file: empty, socket: '', version: 'bench' })
  await fresh.close()
  const source = join(dirname(bench.file), `source-${name}.db`)
  await bench.store.backup(source)
  const workerData = { source, empty, target: join(dirname(bench.file), `replay-${name}.db`), batchSizes }
  const worker = new Worker(new URL('./replay-worker.ts', import.meta.url), { workerData })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

/** Keeps `width` runs in flight until `total` have ended; answers the milliseconds. */
export async function keepInFlight(runtime: Runtime, flow: string, width: number, total: number): Promise<number> {
  let started = 0
  const began = performance.now()
  const lane = async (): Promise<void> => {
    while (started < total) await runFlow(runtime, flow, { n: ++started })
  }
  await Promise.all(Array.from({ length: width }, lane))
  return performance.now() - began
}

async function manyRuns(): Promise<Row[]> {
  await using bench = await openBench([TEN_TASKS], tasks)
  await keepInFlight(bench.runtime, 'TenTasks', 100, 500)
  const rates: number[] = []
  for (let i = 0; i < 3; i++) rates.push(30_000 / ((await keepInFlight(bench.runtime, 'TenTasks', 100, 3000)) / 1000))
  // p99 of a step: from one record of a run to the next, as the journal has it.
  const detail = await stepLatency(bench)
  const replayed = await replay(bench, bench.store.stats().batchSizes, 'many')
  const steps = (replayed.records / 11) * 10
  const baseline = steps / (replayed.milliseconds / 1000)
  const ratio = median(rates) / baseline
  return [
    {
      name: 'journaled no-op tasks, 100 runs of 10 in flight',
      value: `${perSecond(median(rates))} steps`,
      baseline: `same statements ${perSecond(baseline)}`,
      ratio,
      target: '>= 20,000/s, >= 0.5x',
      ok: median(rates) >= 20_000 && ratio >= 0.5,
    },
    { name: '  p99 of a step (record to record)', value: ms(detail), target: '< 15 ms', ok: detail < 15 },
  ]
}

async function stepLatency(bench: Bench): Promise<number> {
  const gaps: number[] = []
  for (const run of await bench.store.listRuns({ tenant: 'default', limit: 500 })) {
    const records = await bench.store.readJournal(run.rid, 0, 100)
    for (let i = 1; i < records.length; i++) gaps.push(records[i]!.at - records[i - 1]!.at)
  }
  gaps.sort((a, b) => a - b)
  return gaps[Math.floor(gaps.length * 0.99)] ?? 0
}

async function oneRun(): Promise<Row[]> {
  await using bench = await openBench([TEN_TASKS], tasks)
  await keepInFlight(bench.runtime, 'TenTasks', 1, 200)
  const elapsed = await keepInFlight(bench.runtime, 'TenTasks', 1, 500)
  const perStep = elapsed / 5000
  const replayed = await replay(bench, [1], 'one')
  const baseline = replayed.milliseconds / ((replayed.records / 11) * 10)
  const ratio = perStep / baseline
  return [
    {
      name: 'one run alone, per step',
      value: ms(perStep),
      baseline: `same statements, one step per commit ${ms(baseline)}`,
      ratio,
      target: '<= 2x',
      ok: ratio <= 2,
    },
  ]
}

async function fanOut(): Promise<Row[]> {
  await using bench = await openBench([FAN_OUT], tasks)
  for (let i = 0; i < 5; i++) await runFlow(bench.runtime, 'FanOut', { count: 1000 })
  const times: number[] = []
  for (let i = 0; i < 9; i++) {
    const began = performance.now()
    await runFlow(bench.runtime, 'FanOut', { count: 1000 })
    times.push(performance.now() - began)
  }
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let peak = before
  const sampler = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20)
  const began = performance.now()
  await runFlow(bench.runtime, 'FanOut', { count: 100_000 })
  const long = performance.now() - began
  clearInterval(sampler)
  const extra = (peak - before) / 1e6
  const growth = long / 100 / median(times)
  return [
    { name: 'fan-out of 1,000 journaled items', value: ms(median(times)), target: '<= 40 ms', ok: median(times) <= 40 },
    {
      name: 'fan-out of 100,000, per 1,000 items',
      value: ms(long / 100),
      baseline: `1,000 items ${ms(median(times))}`,
      ratio: growth,
      target: 'linear (<= 1.5x)',
      ok: growth <= 1.5,
    },
    { name: '  memory above idle', value: `${extra.toFixed(0)} MB`, target: '< 150 MB', ok: extra < 150 },
  ]
}

async function pureSteps(): Promise<Row[]> {
  await using bench = await openBench([PURE], tasks)
  await runFlow(bench.runtime, 'Pure', { count: 20_000 })
  const began = performance.now()
  await runFlow(bench.runtime, 'Pure', { count: 100_000 })
  const perStep = ((performance.now() - began) * 1000) / 100_000
  return [
    { name: 'pure step (repeat with a set)', value: `${perStep.toFixed(2)} µs`, target: '<= 10 µs', ok: perStep <= 10 },
  ]
}

/** Latency of a commit of one step with a small and with a large journal behind it. */
async function journalSize(): Promise<Row[]> {
  await using bench = await openBench([TEN_TASKS], tasks)
  const perStep = async (): Promise<number> => {
    const times: number[] = []
    for (let i = 0; i < 5; i++) times.push((await keepInFlight(bench.runtime, 'TenTasks', 1, 100)) / 1000)
    return median(times)
  }
  await keepInFlight(bench.runtime, 'TenTasks', 100, 1000)
  const small = await perStep()
  await keepInFlight(bench.runtime, 'TenTasks', 100, 90_000)
  const large = await perStep()
  return [
    {
      name: 'step of one run with 1 M journal rows',
      value: ms(large),
      baseline: `with 10 k rows ${ms(small)}`,
      ratio: large / small,
      target: '<= 1.5x',
      ok: large / small <= 1.5,
    },
  ]
}

export const STEP_BENCHES = { manyRuns, oneRun, fanOut, pureSteps, journalSize }
