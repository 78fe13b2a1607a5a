/**
 * Journal records: an event and what it started, as the store keeps them. One line of JSON per record: the event's own
 * fields, and under `started` each effect that began, with the input that was rendered for it.
 */
import { PlugworkError } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Command } from './command.ts'
import type { RunEvent } from './event.ts'
import { seal } from './secrets.ts'
import type { SecretParts } from './secrets.ts'

/** A journal record without its run; the shape of the store's contract. */
export interface EncodedRecord {
  readonly seq: number
  readonly kind: string
  readonly path: string
  readonly completes: boolean
  readonly at: number
  readonly data: string
}

/** What an event started. */
export interface Started {
  readonly do: 'effect' | 'lookup' | 'start_child' | 'emit' | 'subscribe'
  readonly path: string
  readonly attempt: number
  /** Rendered input; null at the places of secrets. */
  readonly input: Json
  /** The secrets, by JSON pointer into `input`. */
  readonly secrets?: SecretParts
}

/** An event read back, with what it started. */
export interface DecodedRecord {
  readonly event: RunEvent
  readonly started: readonly Started[]
}

/** The record of a decision. */
export function encodeRecord(event: RunEvent, commands: readonly Command[], seq: number): EncodedRecord {
  return recordOf(event, startedBy(commands), seq)
}

/** The record of an event and of what it started. */
export function recordOf(event: RunEvent, started: readonly Started[] | undefined, seq: number): EncodedRecord {
  return {
    seq,
    kind: event.type,
    path: 'path' in event ? event.path : '',
    completes: completes(event),
    at: event.at,
    data: JSON.stringify(bodyOf(event, started)),
  }
}

/** The event without what has a column of its own. Written out by type: this runs for every step. */
function bodyOf(event: RunEvent, started: readonly Started[] | undefined): object {
  switch (event.type) {
    case 'completed': {
      const { attempt, output, startedAt, logs, code } = event
      return { attempt, output, startedAt, logs: logs?.length === 0 ? undefined : logs, code, started }
    }
    default: {
      const { type: _type, at: _at, ...rest } = event
      return { ...rest, path: undefined, started }
    }
  }
}

/** Whether the record completes the step of its path: there is one such record per run and path. */
function completes(event: RunEvent): boolean {
  switch (event.type) {
    case 'completed':
    case 'event':
      return true
    case 'child_ended':
      return event.status === 'succeeded'
    case 'looked_up':
      return event.found
    case 'resolve':
      return event.decision === 'output'
    default:
      return false
  }
}

/** What the commands of a decision start; undefined when that is nothing. */
export function startedBy(commands: readonly Command[]): readonly Started[] | undefined {
  let started: Started[] | undefined
  for (const command of commands) {
    const entry = startedEntry(command)
    if (entry !== null) (started ??= []).push(entry)
  }
  return started
}

function startedEntry(command: Command): Started | null {
  switch (command.type) {
    case 'effect':
    case 'lookup':
      return entry(command.type, command, command.input)
    case 'start_child':
      return entry('start_child', command, command.inputs)
    case 'emit':
      return { do: 'emit', path: command.path, attempt: 1, input: { event: command.event, data: command.data } }
    case 'subscribe':
      return { do: 'subscribe', path: command.path, attempt: 1, input: { event: command.event, since: command.since } }
    default:
      return null
  }
}

function entry(
  what: Started['do'],
  command: { readonly path: string; readonly attempt: number },
  input: Parameters<typeof seal>[0],
): Started {
  const { json, secrets } = seal(input)
  const { path, attempt } = command
  return secrets === null ? { do: what, path, attempt, input: json } : { do: what, path, attempt, input: json, secrets }
}

/** Reads a record. Throws `record_invalid` when it is none. */
export function decodeRecord(record: EncodedRecord): DecodedRecord {
  const data: unknown = parse(record)
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw invalid(record, 'its data are no object')
  // Written by `encodeRecord`.
  const { started, ...rest } = data as JsonObject & { readonly started?: readonly Started[] }
  const event = {
    ...rest,
    type: record.kind,
    at: record.at,
    ...(HAS_PATH.has(record.kind) ? { path: record.path } : {}),
  }
  if (!KINDS.has(record.kind)) throw invalid(record, `\`${record.kind}\` is not a kind of event`)
  // The kind is known, and the fields are those that `encodeRecord` wrote for it.
  return { event: event as unknown as RunEvent, started: started ?? [] }
}

function parse(record: EncodedRecord): unknown {
  try {
    return JSON.parse(record.data)
  } catch {
    throw invalid(record, 'its data are no JSON')
  }
}

function invalid(record: EncodedRecord, why: string): PlugworkError {
  return new PlugworkError('record_invalid', `Record ${record.seq} (${record.kind}) cannot be read: ${why}.`)
}

const WITH_PATH: { readonly [kind in RunEvent['type']]: boolean } = {
  start: false,
  completed: true,
  failed: true,
  timer: false,
  signal: false,
  event: true,
  child_ended: true,
  cancel: false,
  takeover: false,
  looked_up: true,
  resolve: true,
  hold: true,
  retry: false,
}
const KINDS: ReadonlySet<string> = new Set(Object.keys(WITH_PATH))
const HAS_PATH: ReadonlySet<string> = new Set(Object.entries(WITH_PATH).flatMap(([kind, has]) => (has ? [kind] : [])))
