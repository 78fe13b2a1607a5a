/** The server's metrics, read from counters that its parts keep anyway. */
import type { Runtime, Store } from '@plugwork/core/node'
import type { Sample } from './exposition.ts'
import type { HttpMetrics } from './http-metrics.ts'

export function collectSamples(options: {
  readonly runtime: Runtime
  readonly store: Store
  readonly http: HttpMetrics
  readonly version: string
}): readonly Sample[] {
  const { runtime, store, http, version } = options
  const runs = runtime.stats()
  const rows = store.stats()
  const gauge = (name: string, help: string, value: number): Sample => ({ name, help, type: 'gauge', value })
  const counter = (name: string, help: string, value: number): Sample => ({ name, help, type: 'counter', value })
  return [
    {
      name: 'plugwork_info',
      help: 'Version and kind of store.',
      type: 'gauge',
      labels: { version, store: rows.kind },
      value: 1,
    },
    ...Object.entries(runs.runsTotal).map(([status, value]): Sample => ({
      name: 'plugwork_runs_total',
      help: 'Runs that ended in this process, by status.',
      type: 'counter',
      labels: { status },
      value,
    })),
    gauge('plugwork_runs_active', 'Runs that this process works on.', runs.active),
    gauge('plugwork_runs_queued', 'Runs that wait for a place.', runs.queued),
    gauge('plugwork_runs_open', 'Runs that have not ended and are known to this process.', runs.open),
    counter('plugwork_steps_total', 'Journaled steps that ended in this process.', runs.stepsTotal),
    gauge('plugwork_effects_running', 'Attempts of tasks and actions that run now.', runs.effects),
    counter('plugwork_store_commits_total', 'Transactions of the store.', rows.commits),
    counter('plugwork_store_records_total', 'Journal records written.', rows.records),
    counter('plugwork_store_bytes_total', 'Bytes of journal records written.', rows.bytes),
    gauge('plugwork_store_last_commit_seconds', 'How long the last transaction took.', rows.lastCommitMs / 1000),
    gauge('plugwork_store_pending_writes', 'Writes that are not durable yet.', rows.pending),
    ...processSamples(),
    ...http.samples(),
  ]
}

/** Names as Prometheus' own client libraries use them. */
function processSamples(): readonly Sample[] {
  const { user, system } = process.cpuUsage()
  return [
    {
      name: 'process_cpu_seconds_total',
      help: 'Processor time of the process.',
      type: 'counter',
      value: (user + system) / 1e6,
    },
    {
      name: 'process_resident_memory_bytes',
      help: 'Memory of the process.',
      type: 'gauge',
      value: process.memoryUsage.rss(),
    },
    {
      name: 'process_start_time_seconds',
      help: 'When the process began.',
      type: 'gauge',
      value: Math.round(Date.now() / 1000 - process.uptime()),
    },
  ]
}
