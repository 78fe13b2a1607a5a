/** Who wants which events. A handler has an id that survives a restart: what it still has to do is stored under it. */
import type { ReceivedEvent } from './service-event.ts'

export interface HandlerContext {
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Aborted when the service closes, or another process took the event over. */
  readonly signal: AbortSignal
}

export type EventHandler<Payload> = (event: ReceivedEvent<Payload>, context: HandlerContext) => unknown

export interface HandlerOptions {
  /** Names the handler in the store. Default: connector, event and a number in the order of registration. */
  readonly id?: string
  /** Also payloads that do not fit the schema of the trigger. */
  readonly unchecked?: boolean
}

export interface Handler {
  readonly id: string
  readonly unchecked: boolean
  readonly run: EventHandler<never>
}

interface Registered extends Handler {
  readonly connector: string
  readonly event: string
}

export class Handlers {
  readonly #registered = new Map<string, Registered>()
  /** Numbers are not given again: a handler that was removed is not taken for the next one. */
  readonly #numbers = new Map<string, number>()

  get size(): number {
    return this.#registered.size
  }

  /** `*` stands for every connector or event; `issues.*` for the events that begin so. Answers what removes it. */
  add(connector: string, event: string, run: EventHandler<never>, options: HandlerOptions = {}): () => void {
    const base = `${connector}:${event}`
    const number = this.#numbers.get(base) ?? 1
    const id = options.id ?? `${base}#${number}`
    if (this.#registered.has(id)) {
      throw new TypeError(`There is a handler "${id}" already; give each handler an id of its own.`)
    }
    if (options.id === undefined) this.#numbers.set(base, number + 1)
    this.#registered.set(id, { id, connector, event, run, unchecked: options.unchecked === true })
    return () => void this.#registered.delete(id)
  }

  get(id: string): Handler | undefined {
    return this.#registered.get(id)
  }

  matching(connector: string, event: string): readonly Handler[] {
    return [...this.#registered.values()].filter(
      (one) => (one.connector === '*' || one.connector === connector) && fits(one.event, event),
    )
  }
}

function fits(pattern: string, name: string): boolean {
  if (pattern === '*' || pattern === name) return true
  return pattern.endsWith('.*') && name.startsWith(pattern.slice(0, -1))
}
