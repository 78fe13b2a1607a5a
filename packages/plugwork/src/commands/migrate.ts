/** `plugwork migrate`: brings the store to the version of this build. */
import { existsSync } from 'node:fs'
import { migrate as migrateStore } from '@plugwork/core/node'
import type { Context } from '../context.ts'
import { dataFolder, inUse, liveOwner } from '../data-folder.ts'
import { EXIT } from '../exit.ts'
import { showPath, showStore } from '../render/path.ts'
import { folderOf, type StoreFlags } from './runs.ts'

export async function migrate(context: Context, flags: StoreFlags): Promise<number> {
  const folder = folderOf(context, flags)
  const { settings } = folder
  if (settings.databaseUrl !== null) {
    const { migratePostgres } = await import('@plugwork/core/postgres')
    const outcome = await migratePostgres(settings.databaseUrl)
    return report(context, flags, showStore(context, folder), outcome)
  }
  const data = dataFolder(settings.dataDir)
  const { database } = data
  const shown = showPath(context, database)
  if (!existsSync(database)) {
    if (flags.json) context.json({ database, exists: false })
    else context.print(`There is no store at ${shown}; the first run makes one.`)
    return EXIT.done
  }
  const owner = liveOwner(data)
  if (owner !== null) throw inUse(context, data.directory, owner)
  return report(context, flags, shown, migrateStore(database), database)
}

function report(
  context: Context,
  flags: StoreFlags,
  shown: string,
  { from, to }: { readonly from: number; readonly to: number },
  database = shown,
): number {
  if (flags.json) context.json({ database, exists: true, from, to })
  else if (from === to) context.print(`${context.style.good('✔')} ${shown} is at version ${to} already`)
  else context.print(`${context.style.good('✔')} ${shown} went from version ${from} to ${to}`)
  return EXIT.done
}
