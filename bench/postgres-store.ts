/**
 * Journaled steps on PostgreSQL, and the same work done by DBOS on the same server in the same run: 100 runs of ten no-op steps
 * in flight. Statements are those that the store sends, transaction control included, and as the server counts transactions.
 */
import { fileURLToPath } from 'node:url'
import { fork } from 'node:child_process'
import { openPostgresStore } from '@plugwork/core/postgres'
import { postgres } from '@plugwork/test-services'
import pg from 'pg'
import { median, ms, perSecond, type Row } from './harness.ts'
import { openBench } from './in-process.ts'
import { keepInFlight, TEN_TASKS } from './steps.ts'

const WIDTH = 100
const STEPS = 10

export async function benchPostgresStore(): Promise<Row[]> {
  const server = await postgres()
  const database = await server.createDatabase()
  const other = await server.createDatabase()
  try {
    const ours = await plugwork(database.url)
    const theirs = await dbos(other.url)
    const ratio = ours.rate / theirs.rate
    const note = `DBOS ${perSecond(theirs.rate)} steps, ${theirs.transactions.toFixed(1)} transactions per step`
    return [
      {
        name: 'PostgreSQL: journaled no-op tasks, 100 runs of 10 in flight',
        value: `${perSecond(ours.rate)} steps`,
        baseline: note,
        ratio,
        target: '>= 8,000/s, >= 5x',
        ok: ours.rate >= 8_000 && ratio >= 5,
      },
      {
        name: '  statements per step',
        value: `${ours.statements.toFixed(3)} sent, ${ours.transactions.toFixed(3)} transactions`,
        target: '<= 0.1',
        ok: ours.statements <= 0.1,
      },
      { name: '  one run alone, per step', value: ms(ours.alone), target: '', ok: true },
    ]
  } finally {
    await database.drop()
    await other.drop()
  }
}

interface Measured {
  /** Steps per second. */
  readonly rate: number
  /** Transactions that the server has committed, per step. */
  readonly transactions: number
}

async function plugwork(url: string): Promise<Measured & { readonly statements: number; readonly alone: number }> {
  const opened = await openPostgresStore({ url, version: 'bench' })
  await using bench = await openBench([TEN_TASKS], { Noop: ({ n = null }) => ({ n }) }, async () => opened)
  await keepInFlight(bench.runtime, 'TenTasks', WIDTH, 1_000)
  const rates: number[] = []
  const runs = 2_000
  const sent = opened.statements()
  const before = await committed(url)
  for (let i = 0; i < 3; i++) {
    rates.push((runs * STEPS) / ((await keepInFlight(bench.runtime, 'TenTasks', WIDTH, runs)) / 1_000))
  }
  const steps = rates.length * runs * STEPS
  const statements = (opened.statements() - sent) / steps
  const transactions = ((await committed(url)) - before) / steps
  const alone = (await keepInFlight(bench.runtime, 'TenTasks', 1, 100)) / (100 * STEPS)
  return { rate: median(rates), statements, transactions, alone }
}

/** In a process of its own: it keeps global state and logs. */
async function dbos(url: string): Promise<Measured> {
  const child = fork(fileURLToPath(new URL('./dbos-process.ts', import.meta.url)), [url, `${WIDTH}`], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const result = await new Promise<{ readonly rates: readonly number[]; readonly steps: number }>((resolve, reject) => {
    child.once('message', (message) => resolve(message as { rates: number[]; steps: number }))
    child.once('exit', (code) => reject(new Error(`the DBOS process ended with ${code}`)))
  })
  child.kill()
  return { rate: median(result.rates), transactions: (await committed(url)) / result.steps }
}

async function committed(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    // Backends report what they did at intervals.
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    const { rows } = await client.query<{ n: string }>(
      'SELECT xact_commit AS n FROM pg_stat_database WHERE datname = current_database()',
    )
    return Number(rows[0]?.n)
  } finally {
    await client.end()
  }
}
