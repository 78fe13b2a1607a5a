/** A session that works on the project's store in this process. */
import type { Definitions, RunDetail } from '@plugwork/core/node'
import type { ServeControlOptions } from '@plugwork/server/control'
import type { Context } from './context.ts'
import { openEngine } from './engine.ts'
import { EXIT } from './exit.ts'
import type { ProjectFolder } from './project-folder.ts'
import type { Session } from './session.ts'

const TENANT = 'default'
/** Who acts, in the records of runs. */
const ACTOR = 'command line'

export interface LocalSessionOptions {
  readonly folder: ProjectFolder
  readonly definitions: Definitions
  readonly socket: string
}

/** Opens the store and a runtime that works on no runs but those that this command starts or names. */
export async function openLocalSession(context: Context, options: LocalSessionOptions): Promise<Session> {
  const { settings } = options.folder
  const engine = await openEngine({
    settings,
    directory: options.folder.directory,
    environment: context.environment,
    socket: options.socket,
  })
  const { store } = engine
  let closing = false
  store.onLost((reason) => {
    if (closing) return
    context.note(`${context.noteStyle.bad('error')} The store was lost: ${reason}.`)
    process.exit(EXIT.failed)
  })
  const runtime = engine.runtime(options.definitions, {
    takeOver: 'named',
    // Links of waits work once `plugwork start` serves the project there.
    baseUrl: settings.baseUrl ?? `http://${settings.host}:${settings.port}`,
    log(level, message, data) {
      if (level !== 'warn' && level !== 'error') return
      const facts = data === undefined ? '' : ` ${JSON.stringify(data)}`
      context.note(`${context.noteStyle.warn(level)} ${message}${facts}`)
    },
  })
  await runtime.open()
  const control = startControl(settings.databaseUrl === null ? options.socket : null, {
    runtime,
    store,
    tenant: TENANT,
    version: engine.version,
    actor: ACTOR,
    retentionMs: settings.retention,
  })
  let stopping: Promise<void> | null = null
  const stop = (graceMs: number): Promise<void> => {
    stopping ??= runtime.stop(graceMs).then(() => undefined)
    return stopping
  }
  const known = async (id: string): Promise<RunDetail | null> => runtime.get(TENANT, id)
  return {
    server: null,
    isElsewhere: async (run) => (await store.isElsewhere?.(run)) ?? false,
    start: (flow, inputs) =>
      runtime.start({ tenant: TENANT, flow, inputs, trigger: { kind: 'command', actor: ACTOR } }),
    wait: (id, timeoutMs) => runtime.wait(TENANT, id, timeoutMs),
    get: known,
    list: (query) => store.listRuns({ ...query, tenant: TENANT }),
    watch: (listener, runId) => runtime.watch(listener, runId),
    adopt: (id) => runtime.adopt(TENANT, id),
    cancel: (id, cancel) => runtime.cancel(TENANT, id, { ...cancel, actor: ACTOR }),
    retry: (id) => runtime.retry(TENANT, id, ACTOR),
    replay: (id, request) => runtime.replay(TENANT, id, request),
    resolve: (id, step, decision) => runtime.resolve(TENANT, id, step, decision, ACTOR),
    signal: (id, { actor, ...signal }) => runtime.signal(TENANT, id, { ...signal, actor: actor ?? ACTOR }),
    verify: (id) => runtime.verify(TENANT, id),
    backup: (file) => store.backup(file),
    stop,
    async [Symbol.asyncDispose]() {
      closing = true
      await stop(0)
      await control.close()
      await engine.close()
    },
  }
}

/** A command that takes longer than this can be reached by others; most are over before. Milliseconds. */
const QUICK_MS = 250

/** Serves the control socket once the command turns out to take its time. */
function startControl(socket: string | null, options: ServeControlOptions): { close(): Promise<void> } {
  // Processes that share a database reach each other's runs through it.
  if (socket === null) return { close: () => Promise.resolve() }
  let opened: Promise<() => Promise<void>> | null = null
  const timer = setTimeout(() => {
    opened = import('@plugwork/server/control').then(({ serveControl }) => serveControl(socket, options))
  }, QUICK_MS)
  timer.unref()
  return {
    async close() {
      clearTimeout(timer)
      const close = await opened
      await close?.()
    },
  }
}
