/** Finds who owns a data folder and opens a session there: here when nobody does, else through the owner. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Definitions, Project } from '@plugwork/core/node'
import { connectControl, controlSocketPath } from '@plugwork/server/control'
import type { Context } from './context.ts'
import { dataFolder, liveOwner } from './data-folder.ts'
import type { ProjectFolder } from './project-folder.ts'
import type { Session } from './session.ts'

export interface OpenSessionOptions {
  readonly folder: ProjectFolder
  /** Loads the project; called when the session works in this process. Left out by commands that execute nothing. */
  readonly project?: () => Promise<Project>
  /** Flow file that `start` runs. */
  readonly file?: string
  /**
   * What the command does: `look` and `decide` go through any owner; `work` executes steps, so it waits while another
   * command (not a server) has the folder.
   */
  readonly intent: 'look' | 'decide' | 'work'
}

/** How often an owner is looked at that does not answer yet, or that is waited for. */
const LOOK_MS = 100

export async function openSession(context: Context, options: OpenSessionOptions): Promise<Session> {
  // Nobody owns a database: every process has a session of its own there.
  if (options.folder.settings.databaseUrl !== null) return openHere(context, options)
  const data = dataFolder(options.folder.settings.dataDir)
  let said = false
  for (;;) {
    const owner = liveOwner(data)
    if (owner === null) {
      try {
        return await openHere(context, options)
      } catch (error) {
        // Somebody else was quicker.
        if ((error as { code?: string }).code !== 'store_owned') throw error
      }
    } else {
      const session = await openThere(owner.socket, options)
      if (session !== null && (options.intent !== 'work' || session.server?.address !== null)) return session
      if (session !== null && !said) {
        said = true
        context.note(context.noteStyle.dim(`Waiting for process ${owner.pid}, which works in ${data.directory} …`))
      }
    }
    await delay(LOOK_MS)
  }
}

async function openHere(context: Context, options: OpenSessionOptions): Promise<Session> {
  const { openLocalSession } = await import('./local-session.ts')
  const project = await options.project?.()
  const socket = controlSocketPath(options.folder.settings.dataDir)
  const definitions = project?.definitions ?? noDefinitions(options.folder.directory)
  try {
    const session = await openLocalSession(context, { folder: options.folder, definitions, socket })
    return closing(session, async () => project?.close())
  } catch (error) {
    await project?.close()
    throw error
  }
}

/** For looking at runs: their plans are in the store. */
function noDefinitions(directory: string): Definitions {
  return { plan: () => null, task: () => null, directory: () => directory, secret: () => null, env: () => null }
}

/** Null while the owner does not answer: it may be starting, or about to end. */
async function openThere(socket: string, options: OpenSessionOptions): Promise<Session | null> {
  const { remoteSession } = await import('./remote-session.ts')
  const client = connectControl(socket)
  try {
    return remoteSession(client, await client.info(), options.file ?? null)
  } catch (error) {
    if ((error as { code?: string }).code === 'control_unreachable') return null
    throw error
  }
}

function closing(session: Session, after: () => Promise<void>): Session {
  return {
    ...session,
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]()
      await after()
    },
  }
}
