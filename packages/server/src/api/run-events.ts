/** A run as a stream: what happened so far, then what happens, until it ends. */
import { TERMINAL } from '@plugwork/core/node'
import type { Clock, RunNotice, RunStatus, Runtime } from '@plugwork/core/node'
import type { StepTrace } from '@plugwork/core'
import { ServerError } from '../errors.ts'
import type { Incoming } from '../http/incoming.ts'
import type { Reply } from '../http/reply.ts'
import { openEventStream } from '../http/sse.ts'
import type { Stopping } from '../stopping.ts'
import { isoTime, stepOf } from './shapes.ts'

/** Opens the stream. Throws `run_not_found`. */
export async function runEvents(options: {
  readonly runtime: Runtime
  readonly clock: Clock
  readonly tenant: string
  readonly runId: string
  readonly incoming: Incoming
  readonly stopping: Stopping
}): Promise<Reply> {
  const { runtime, clock, tenant, runId, incoming, stopping } = options
  // News that come while the past is read are kept back, so that they follow it.
  let waiting: RunNotice[] | null = []
  const unwatch = runtime.watch((notice) => {
    if (waiting === null) send(notice)
    else waiting.push(notice)
  }, runId)
  const stream = openEventStream(() => {
    unwatch()
    forget()
  })
  const forget = stopping.onStop(() => stream.end())

  const sendStatus = (status: RunStatus, reason: string | null, at: number) => {
    stream.send({ event: 'status', id: String(at), data: { run_id: runId, status, reason, at: isoTime(at) } })
    if (TERMINAL.has(status)) stream.end()
  }
  const sendStep = (step: StepTrace, at: number) => {
    stream.send({ event: 'step', id: String(at), data: { run_id: runId, at: isoTime(at), step: stepOf(step) } })
  }
  const send = (notice: RunNotice) => {
    if (notice.type === 'status') sendStatus(notice.status, notice.reason, notice.at)
    else sendStep(notice.step, notice.at)
  }

  const detail = await runtime.get(tenant, runId)
  if (detail === null) {
    stream.cancel()
    throw new ServerError('run_not_found', `There is no run ${runId}. GET /api/v1/runs lists them.`)
  }
  const since = Number(incoming.header('last-event-id') ?? '0')
  // In the order of their ids: a client that is cut off in between resumes after the last one it has.
  const past = detail.steps
    .map((step) => ({ step, at: step.endedAt ?? step.startedAt ?? detail.createdAt }))
    .toSorted((one, other) => one.at - other.at)
  for (const { step, at } of past) if (!(at < since)) sendStep(step, at)
  sendStatus(detail.status, detail.reason, detail.finishedAt ?? clock.now())
  for (const notice of waiting) send(notice)
  waiting = null
  return stream.reply
}
