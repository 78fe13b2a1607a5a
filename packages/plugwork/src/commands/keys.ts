/**
 * `plugwork keys`: what the key ring protects, and its rotation. Both work while a server owns the data folder: stored
 * connections have a file of their own, and a process that meets a key it does not know reads the key file again.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ringKeyProvider, Vault, type VaultStatus } from '@plugwork/connections'
import { addKey, KEYS_FILE, openKeys, type Keys, type KeyRing } from '@plugwork/core/node'
import { findConnectionStore } from '../connection-store.ts'
import type { Context } from '../context.ts'
import { dataFolder, liveOwner } from '../data-folder.ts'
import { EXIT, UsageError } from '../exit.ts'
import type { ProjectFolder } from '../project-folder.ts'
import { showPath } from '../render/path.ts'
import { count, table } from '../render/text.ts'
import { folderOf, type StoreFlags } from './runs.ts'

interface KeysReport {
  /** Ids of the ring's keys, the encrypting one first; empty where there is no ring yet. */
  readonly keys: readonly string[]
  readonly current: string | null
  readonly from: Keys['from'] | null
  /** Data keys of stored connections by the key that wraps them. */
  readonly dataKeys: VaultStatus['dataKeys']
  /** Data keys that a rotation has still to do. */
  readonly outdated: number
}

export async function status(context: Context, flags: StoreFlags): Promise<number> {
  const folder = folderOf(context, flags)
  const report = await statusOf(folder)
  if (flags.json) context.json(report)
  else print(context, folder, report)
  return EXIT.done
}

export interface RotateFlags extends StoreFlags {
  readonly batch?: number
}

export async function rotate(context: Context, flags: RotateFlags): Promise<number> {
  const folder = folderOf(context, flags)
  const { settings } = folder
  const before = await statusOf(folder)
  if (before.current === null) {
    if (flags.json) context.json({ ...before, added: null, rewrapped: 0 })
    else print(context, folder, before)
    return EXIT.done
  }
  const ring =
    settings.keys === null ? rotated(context, folder, before) : openKeys(settings.dataDir, settings.keys).ring
  if (settings.keys !== null && before.outdated === 0) {
    context.note(
      `PLUGWORK_KEYS is set, so a new key is yours to make: put \`k2:$(openssl rand -base64 32)\` in front of the ring that is ` +
        `there, restart what uses it, and run this again. Nothing is encrypted with another key than ${ring.current} now.`,
    )
  }
  const rewrapped = await rewrap(context, folder, ring, flags.batch)
  const after = await statusOf(folder)
  if (flags.json) {
    context.json({ ...after, added: before.keys.includes(ring.current) ? null : ring.current, rewrapped })
    return EXIT.done
  }
  const { good } = context.style
  if (!before.keys.includes(ring.current)) context.print(`${good('✔')} ${ring.current} is the key that encrypts now`)
  context.print(`${good('✔')} ${count(rewrapped, 'data key')} wrapped anew with ${ring.current}`)
  keepOldKeys(context, folder, after)
  return EXIT.done
}

/** Finishes a rotation that was interrupted; else puts a new key in front. */
function rotated(context: Context, { settings }: ProjectFolder, { outdated, current, keys }: KeysReport): KeyRing {
  if (outdated > 0 && keys.length > 1) {
    context.note(context.noteStyle.dim(`An earlier rotation to ${current} is not finished; going on with it.`))
    return openKeys(settings.dataDir, null).ring
  }
  return addKey(settings.dataDir).ring
}

async function rewrap(context: Context, { settings }: ProjectFolder, ring: KeyRing, batch?: number): Promise<number> {
  const store = await findConnectionStore(settings)
  if (store === null) return 0
  const stop = new AbortController()
  const onInterrupt = (): void => stop.abort(new Error('interrupted; run it again to go on'))
  process.once('SIGINT', onInterrupt)
  try {
    const vault = await Vault.open({ store, keys: ringKeyProvider(ring) })
    return await vault.rewrap({
      signal: stop.signal,
      onProgress: (done) => {
        if (context.interactive) context.note(context.noteStyle.dim(`${count(done, 'data key')} …`))
      },
      ...(batch === undefined ? {} : { batch }),
    })
  } finally {
    process.removeListener('SIGINT', onInterrupt)
    await store.close()
  }
}

async function statusOf({ settings }: ProjectFolder): Promise<KeysReport> {
  const file = join(settings.dataDir, KEYS_FILE)
  if (settings.keys === null && !existsSync(file)) {
    if (existsSync(dataFolder(settings.dataDir).connections)) {
      throw new UsageError(
        'Connections are stored here, but there is no key ring.',
        `Bring back ${file}, or set PLUGWORK_KEYS to what it was: a new key cannot read them.`,
      )
    }
    return { keys: [], current: null, from: null, dataKeys: [], outdated: 0 }
  }
  const { ring, from } = openKeys(settings.dataDir, settings.keys)
  const store = await findConnectionStore(settings)
  const base = { keys: ring.ids, current: ring.current, from }
  if (store === null) return { ...base, dataKeys: [], outdated: 0 }
  try {
    const vault = await Vault.open({ store, keys: ringKeyProvider(ring) })
    const { dataKeys, outdated } = await vault.status()
    return { ...base, dataKeys: dataKeys.filter((one) => one.count > 0), outdated }
  } finally {
    await store.close()
  }
}

function print(context: Context, folder: ProjectFolder, report: KeysReport): void {
  const { style } = context
  if (report.current === null) {
    context.print('There is no key ring yet; the first start makes one.')
    return
  }
  const where =
    report.from === 'environment' ? 'PLUGWORK_KEYS' : showPath(context, join(folder.settings.dataDir, KEYS_FILE))
  context.print(style.dim(`from ${where}`))
  const counts = new Map(report.dataKeys.map(({ keyId, count: number }) => [keyId, number]))
  context.print(
    table(
      report.keys.map((id, index) => [
        style.bold(id),
        index === 0 ? style.good('encrypts') : 'decrypts',
        style.dim(count(counts.get(id) ?? 0, 'data key')),
      ]),
    ),
  )
  if (report.outdated > 0) {
    context.note(`${count(report.outdated, 'data key')} not wrapped with ${report.current} yet: plugwork keys rotate`)
  }
}

function keepOldKeys(context: Context, { settings }: ProjectFolder, { keys }: KeysReport): void {
  const old = keys.slice(1)
  if (old.length > 0) {
    context.note(
      `Keep ${old.join(', ')} in the ring: secret inputs of runs that were started before are sealed with them.`,
    )
  }
  const owner = settings.databaseUrl === null ? liveOwner(dataFolder(settings.dataDir)) : null
  if (owner !== null) {
    context.note(`Process ${owner.pid}, which works here, opens both; restart it to have it encrypt with the new key.`)
  }
}
