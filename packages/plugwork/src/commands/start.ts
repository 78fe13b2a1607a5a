/** `plugwork start`: the server of a project, until it is told to stop. */
import { dirname, join } from 'node:path'
import type { LogLine } from '@plugwork/core'
import { StoreOwnedError, type Project } from '@plugwork/core/node'
import { controlSocketPath, createLog, createServer, type Log, type Server } from '@plugwork/server'
import type { Context } from '../context.ts'
import { inUse } from '../data-folder.ts'
import { openEngine, type Engine } from '../engine.ts'
import { EXIT, UsageError } from '../exit.ts'
import { releaseMemoryWhenIdle } from '../idle-memory.ts'
import { onInterrupt } from '../interrupt.ts'
import { namedFolder, noteProblems, openFolder, type ProjectFolder } from '../project-folder.ts'
import { showPath, showStore } from '../render/path.ts'
import { count } from '../render/text.ts'
import { loadProjectOf } from './run.ts'

export interface StartOptions {
  readonly port?: string
  readonly host?: string
  readonly dataDir?: string
  readonly databaseUrl?: string
  readonly baseUrl?: string
  readonly logLevel?: string
  readonly logFormat?: string
  readonly concurrency?: string
  readonly watch: boolean
}

/** What running work gets before the process ends. */
const GRACE_MS = 25_000

export async function start(context: Context, name: string | undefined, options: StartOptions): Promise<number> {
  const directory = namedFolder(context, name ?? '.')
  const { watch: _, ...flags } = options
  const folder = openFolder(context, directory, flags)
  const stop = stopSignals(context)
  const keepMemory = releaseMemoryWhenIdle()
  // The store's thread starts while flows are loaded.
  const loading = loadProjectOf(context, folder)
  const engine = await ownEngine(context, folder).catch(async (error: unknown) => {
    await loading.then(
      (unused) => unused.close(),
      () => undefined,
    )
    throw error
  })
  // Registered before anything else is: what others then log about writes that fail says nothing more.
  const loss = watchLoss(engine)
  let server: Server | null = null
  let served = false
  let project: Project | null = null
  try {
    project = await loading
    server = await openServer(context, { folder, engine, project, loss })
    served = true
    const { address } = await server.listen(folder.settings.port).catch((error: unknown) => {
      throw listenError(error, folder)
    })
    // Commands reach runs on a database without this process.
    if (folder.settings.databaseUrl === null) await server.listenControl(controlSocketPath(folder.settings.dataDir))
    await server.start()
    announce(context, { folder, project, server, address })
    if (options.watch) followFiles(context, project)
    const reason = await Promise.race([stop.asked, loss.happened])
    if (reason.kind === 'lost') {
      const { bad } = context.noteStyle
      context.note(
        `${bad('error')} The store was lost: ${reason.reason}. Its runs go on in the process that has them now.`,
      )
      return EXIT.failed
    }
    context.note(
      context.noteStyle.dim(`Stopping: running steps get ${GRACE_MS / 1000} s. Ctrl-C again to leave at once.`),
    )
    const { unfinished } = await server.close(GRACE_MS)
    // A statement that was given up, of a run that has ended since, may compute on.
    context.ending.threadsLeft = true
    server = null
    const left = unfinished === 0 ? '' : `; ${count(unfinished, 'run')} will go on at the next start`
    context.note(context.noteStyle.dim(`Stopped${left}.`))
    return EXIT.done
  } finally {
    stop.release()
    keepMemory()
    // The server closes the store that it was given.
    if (server) await server.close(0)
    await (served ? engine.closeShared() : engine.close())
    await project?.close()
  }
}

/** Only one server may own a data folder: the other one is named, with the address at which it serves. */
async function ownEngine(context: Context, folder: ProjectFolder): Promise<Engine> {
  const { settings } = folder
  try {
    return await openEngine({
      settings,
      directory: folder.directory,
      environment: context.environment,
      socket: controlSocketPath(settings.dataDir),
    })
  } catch (error) {
    if (!(error instanceof StoreOwnedError)) throw error
    const { connectControl } = await import('@plugwork/server/control')
    const info = await connectControl(error.owner.socket)
      .info()
      .catch(() => null)
    throw inUse(context, settings.dataDir, error.owner, info?.address)
  }
}

async function openServer(
  context: Context,
  parts: { readonly folder: ProjectFolder; readonly engine: Engine; readonly project: Project; readonly loss: Loss },
): Promise<Server> {
  const { folder, engine, project, loss } = parts
  const { settings } = folder
  const format = settings.logFormat === 'auto' ? (context.interactive ? 'text' : 'json') : settings.logFormat
  const write = (line: string): void => void (loss.isLost() || context.stderr.write(line))
  const log = createLog({ level: settings.logLevel, format, write })
  return createServer({
    project,
    store: engine.store,
    blobs: engine.blobs,
    connectors: engine.connectors,
    // Opened now: a key ring that cannot read what is stored refuses to start.
    connections: await engine.connections(),
    egress: engine.egress,
    serviceWebhooks: { open: async () => (await engine.connections()).webhooks(), inUse: true },
    runtime: (definitions, baseUrl) => engine.runtime(definitions, { baseUrl, log: runtimeLog(log) }),
    settings: {
      dataDir: settings.dataDir,
      host: settings.host,
      baseUrl: settings.baseUrl,
      ownerToken: settings.ownerToken,
      envAllow: settings.envAllow,
      retention: settings.retention,
    },
    environment: context.environment,
    version: engine.version,
    loadFile: async (file) => loadProjectOf(context, { ...folder, directory: dirname(file) }, file),
    log,
  })
}

function runtimeLog(log: Log): (level: LogLine['level'], message: string, data?: unknown) => void {
  return (level, message, data) => {
    if (data === undefined || data === null) log[level](message)
    else log[level](typeof data === 'object' ? data : { data }, message)
  }
}

function listenError(error: unknown, { settings }: ProjectFolder): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') {
    return new UsageError(
      `Port ${settings.port} on ${settings.host} is taken.`,
      'Give another --port; 0 takes a free one.',
    )
  }
  if (code === 'EACCES') return new UsageError(`Port ${settings.port} needs more rights than this process has.`)
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new UsageError(`${settings.host} is no address of this machine.`)
  }
  return error
}

interface Announced {
  readonly folder: ProjectFolder
  readonly project: Project
  readonly server: Server
  readonly address: string
}

function announce(context: Context, { folder, project, server, address }: Announced): void {
  const { bold, dim, accent, good } = context.style
  noteProblems(context, project.directory, project.problems)
  const flows = server.registry.list('default')
  const where = showStore(context, folder)
  context.print(
    `${good('▲')} ${bold('Plugwork')} serves ${count(flows.length, 'flow')} at ${accent(address)}  ${dim(`data in ${where}`)}`,
  )
  if (server.ownerToken !== null) {
    context.print(`  Owner token ${dim('(shown this once, keep it)')}: ${bold(server.ownerToken)}`)
  }
  context.print(`  ${dim('Try')}  ${curlLine(flows, address, server.ownerToken)}`)
  context.print(`  ${dim('API')}  ${address}/api/v1/docs`)
}

/** A request that works as it stands: a public webhook that is a GET, else a run over the API. */
function curlLine(flows: ReturnType<Server['registry']['list']>, address: string, token: string | null): string {
  for (const { plan } of flows) {
    for (const trigger of plan.triggers) {
      if (trigger.kind !== 'webhook' || trigger.method !== 'GET' || (trigger.auth && trigger.auth.type !== 'none'))
        continue
      return `curl ${address}${trigger.path.replaceAll(/\{\w+\}/g, 'world')}`
    }
  }
  const bearer = `-H 'Authorization: Bearer ${token ?? '$PLUGWORK_OWNER_TOKEN'}'`.replaceAll(
    "'",
    token === null ? '"' : "'",
  )
  const [flow] = flows
  if (!flow) return `curl ${bearer} ${address}/api/v1/flows`
  return `curl ${bearer} -H 'Content-Type: application/json' -d '{"inputs":{}}' '${address}/api/v1/flows/${flow.name}/runs?wait=30s'`
}

/** Says what was loaded after a change. The server itself serves the new version from its next run on. */
function followFiles(context: Context, project: Project): void {
  const { good, dim } = context.noteStyle
  let known = new Set(project.problems.map((problem) => JSON.stringify(problem)))
  project.watch(({ flows, removed, tasks }) => {
    const files = tasks.map((file) => showPath(context, join(project.directory, file)))
    if (files.length > 0) context.note(`${good('↻')} ${files.join(', ')} ${dim('loaded again')}`)
    if (flows.length > 0) context.note(`${good('↻')} ${flows.join(', ')} ${dim('loaded again')}`)
    if (removed.length > 0) context.note(`${good('↻')} ${removed.join(', ')} ${dim('no longer served')}`)
    const fresh = project.problems.filter((problem) => !known.has(JSON.stringify(problem)))
    known = new Set(project.problems.map((problem) => JSON.stringify(problem)))
    noteProblems(context, project.directory, fresh)
    if (fresh.some((problem) => problem.severity === 'error')) {
      context.note(dim('  What was loaded last is still served.'))
    }
  })
}

/** The first SIGINT or SIGTERM asks for a graceful end, the second one ends the process. */
function stopSignals(context: Context): { readonly asked: Promise<{ readonly kind: 'asked' }>; release(): void } {
  const { promise, resolve } = Promise.withResolvers<{ readonly kind: 'asked' }>()
  const release = onInterrupt({
    first: () => resolve({ kind: 'asked' }),
    second: () => context.note('Left at once; the runs go on at the next start.'),
  })
  return { asked: promise, release }
}

interface Loss {
  isLost(): boolean
  readonly happened: Promise<{ readonly kind: 'lost'; readonly reason: string }>
}

function watchLoss(engine: Engine): Loss {
  let lost = false
  const { promise, resolve } = Promise.withResolvers<{ readonly kind: 'lost'; readonly reason: string }>()
  engine.store.onLost((reason) => {
    lost = true
    resolve({ kind: 'lost', reason })
  })
  return { isLost: () => lost, happened: promise }
}
