/**
 * A runtime for tests: real stores, real flows compiled from YAML, tasks given as functions. `crash` cuts the runtime off
 * from its store in mid-air, as the end of its process would; `reopen` opens another one on what was stored.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

import { createFileBlobStore } from '../../blob/file-blob-store.ts'
import type { Connector } from '../../connector/connector.ts'
import type { Egress } from '../../egress/egress.ts'
import type { CatalogConnector } from '../../flow/catalog.ts'
import { compileFlow } from '../../flow/compile.ts'
import { planHash } from '../../flow/hash.ts'
import type { Plan } from '../../flow/plan.ts'
import type { JsonObject } from '../../json.ts'
import { createMemoryStore, MemoryDisk } from '../../store/memory/memory-store.ts'
import { openSqliteStore } from '../../store/sqlite/sqlite-store.ts'
import type { Store } from '../../store/store.ts'
import type { VirtualClock } from '../../testing/virtual-clock.ts'
import { createRuntime } from '../create-runtime.ts'
import type { Definitions, RunDetail, RunSummary, Runtime, RuntimeOptions, StartRun, TaskContext } from '../runtime.ts'

export type StoreKind = 'memory' | 'sqlite'
export const STORES: readonly StoreKind[] = ['memory', 'sqlite']

export type TaskFunction = (inputs: JsonObject, context: TaskContext) => unknown
export type Tasks = { [name: string]: TaskFunction }

export interface WorkshopOptions {
  readonly store?: StoreKind
  readonly flows: readonly string[]
  readonly tasks?: Tasks
  readonly validate?: { readonly [task: string]: (inputs: JsonObject) => JsonObject }
  readonly connectors?: readonly Connector[]
  readonly catalog?: readonly CatalogConnector[]
  readonly secrets?: { [name: string]: string }
  readonly env?: { [name: string]: string }
  readonly egress?: Egress
  /** Default: the machine's clock. */
  readonly clock?: VirtualClock
  readonly runtime?: Partial<RuntimeOptions>
}

export const TENANT = 'acme'

/** Plans of flows given as YAML; throws with every problem of one that does not compile. */
export function plansOf(flows: readonly string[], connectors: readonly CatalogConnector[] = []): Plan[] {
  const catalog = { connectors }
  return flows.map((source) => {
    const { plan, problems } = compileFlow(source, catalog)
    if (plan === null) throw new Error(problems.map(({ line, message }) => `${line}: ${message}`).join('\n'))
    return plan
  })
}

export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'plugwork-runtime-'))
  readonly tasks: Tasks
  readonly secrets: { [name: string]: string }
  readonly env: { [name: string]: string }
  readonly logs: string[] = []
  runtime!: Runtime
  store!: Store
  /** Number of runtimes opened so far. */
  generation = 0
  readonly #options: WorkshopOptions
  readonly #disk = new MemoryDisk()
  readonly #plans = new Map<string, { readonly plan: Plan; readonly hash: string }>()
  #cut: (() => Promise<void>) | null = null

  constructor(options: WorkshopOptions) {
    this.#options = options
    this.tasks = { ...options.tasks }
    this.secrets = { ...options.secrets }
    this.env = { ...options.env }
    this.define(options.flows)
  }

  get databaseFile(): string {
    return join(this.folder, 'plugwork.db')
  }

  /** Adds flows, or new versions of them, for runs that start from now on. */
  define(flows: readonly string[]): void {
    for (const plan of plansOf(flows, this.#options.catalog)) this.#plans.set(plan.flow, { plan, hash: planHash(plan) })
  }

  remove(flow: string): void {
    this.#plans.delete(flow)
  }

  async open(change: Partial<RuntimeOptions> = {}): Promise<void> {
    this.generation++
    const store =
      this.#options.store === 'sqlite'
        ? await openSqliteStore({ file: this.databaseFile, socket: '', version: 'test' })
        : createMemoryStore(this.#disk)
    const severable = sever(store)
    this.store = severable.store
    this.#cut = async () => {
      severable.cut()
      await store.close()
    }
    const { clock, egress, connectors } = this.#options
    this.runtime = createRuntime({
      store: severable.store,
      blobs: createFileBlobStore(join(this.folder, 'blobs')),
      egress: egress ?? ({ fetch: globalThis.fetch } as Egress),
      connectors: connectors ?? [],
      definitions: this.#definitions(),
      key: new Uint8Array(32).fill(7),
      baseUrl: 'http://plugwork.test',
      version: 'test',
      log: (level, message) => void this.logs.push(`${level}: ${message}`),
      ...(clock === undefined ? {} : { clock }),
      ...this.#options.runtime,
      ...change,
    })
    await this.runtime.open()
  }

  /** The process dies: nothing of the runtime reaches the store any more, no answer reaches the runtime. */
  async crash(): Promise<void> {
    await this.#cut?.()
    this.#cut = null
  }

  /** Another process takes the (memory) store over; this one notices with its next write. */
  async fence(): Promise<void> {
    createMemoryStore(this.#disk)
    await this.store.setMeta('noticed', 'late').catch(() => undefined)
  }

  /** Crashes, unless that was done, and opens a new runtime on the same data. */
  async reopen(change: Partial<RuntimeOptions> = {}): Promise<void> {
    await this.crash()
    await this.open(change)
  }

  /** Stops in good order, and opens a new runtime on the same data. */
  async restart(change: Partial<RuntimeOptions> = {}): Promise<void> {
    await this.runtime.stop(0)
    await this.reopen(change)
  }

  async close(): Promise<void> {
    if (this.#cut !== null) {
      await this.runtime.stop(0)
      await this.crash()
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  async start(
    flow: string,
    inputs: JsonObject = {},
    more: Partial<StartRun> = {},
  ): Promise<{ id: string; rid: number }> {
    const outcome = await this.runtime.start({ tenant: TENANT, flow, inputs, trigger: { kind: 'test' }, ...more })
    if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`)
    return outcome
  }

  /** Starts a run and waits for its end. */
  async run(flow: string, inputs: JsonObject = {}): Promise<RunSummary> {
    const { rid } = await this.start(flow, inputs)
    return this.runtime.finished(rid)
  }

  /** Where a run stands now. */
  async status(id: string): Promise<RunSummary> {
    const summary = await this.runtime.wait(TENANT, id, 0)
    if (summary === null) throw new Error(`no run ${id}`)
    return summary
  }

  async detail(id: string): Promise<RunDetail> {
    const detail = await this.runtime.get(TENANT, id)
    if (detail === null) throw new Error(`no run ${id}`)
    return detail
  }

  /** Waits for the end of a run that need not have been started by this runtime. */
  async ended(id: string): Promise<RunSummary> {
    const { rid } = (await this.store.findRun(TENANT, id))!
    return this.runtime.finished(rid)
  }

  /** Waits until the run is parked in this status, and for this reason, and has left the memory. */
  async parked(id: string, reason: string): Promise<RunSummary> {
    await until(async () => {
      const now = await this.status(id)
      return now.status === 'waiting' && now.reason === reason && this.runtime.stats().active === 0
    }, `run ${id} is parked for ${reason}`)
    return this.status(id)
  }

  #definitions(): Definitions {
    return {
      plan: (_tenant, flow) => this.#plans.get(flow) ?? null,
      task: (_tenant, _flow, name) => {
        const run = this.tasks[name]
        const validate = this.#options.validate?.[name]
        return run === undefined ? null : { code: `${name}-code`, run, ...(validate && { validate }) }
      },
      directory: () => this.folder,
      secret: (_tenant, name) => this.secrets[name] ?? null,
      env: (_tenant, _flow, name) => this.env[name] ?? null,
    }
  }
}

/** Opens a workshop and closes it after the test. */
export async function openWorkshop(options: WorkshopOptions): Promise<Workshop> {
  const workshop = new Workshop(options)
  onTestFinished(() => workshop.close())
  await workshop.open()
  return workshop
}

/** Well under the time limit of a test, so that the failure says what was waited for. */
const PATIENCE_MS = 20_000

/** Waits for a condition. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await turn()
  }
}

/** A store whose calls stop being answered at some point, and no longer reach it. */
function sever(store: Store): { readonly store: Store; cut(): void } {
  let cut = false
  const never = new Promise<never>(() => undefined)
  const proxy = new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => {
        if (cut) return never
        const answer: unknown = Reflect.apply(member, target, args)
        if (!(answer instanceof Promise)) return answer
        return answer.then(
          (value: unknown) => (cut ? never : value),
          (error: unknown) => (cut ? never : Promise.reject(error)),
        )
      }
    },
  })
  return { store: proxy, cut: () => void (cut = true) }
}
