import { relative, sep } from 'node:path'
import { parseAddress } from '@plugwork/core/node'
import type { Context } from '../context.ts'

/** A path as the user would type it from where they are; absolute when it lies elsewhere. */
export function showPath(context: Pick<Context, 'workingDirectory'>, path: string): string {
  const shown = relative(context.workingDirectory, path)
  if (shown === '') return '.'
  return shown.startsWith(`..${sep}..${sep}..`) ? path : shown
}

/** Where the store of a project is, without a password. */
export function showStore(
  context: Pick<Context, 'workingDirectory'>,
  { settings }: { readonly settings: { readonly dataDir: string; readonly databaseUrl: string | null } },
): string {
  return settings.databaseUrl === null ? showPath(context, settings.dataDir) : parseAddress(settings.databaseUrl).shown
}

/** The options by which another command, typed in the same place, finds the same project and store. */
export function whereOptions(
  context: Pick<Context, 'workingDirectory'>,
  folder: { readonly directory: string },
  { dataDir, databaseUrl }: { readonly dataDir?: string; readonly databaseUrl?: string },
): string {
  const project =
    folder.directory === context.workingDirectory ? '' : ` --project ${quote(showPath(context, folder.directory))}`
  const data = dataDir === undefined ? '' : ` --data-dir ${quote(dataDir)}`
  // The address may hold a password: it is not repeated.
  return `${project}${data}${databaseUrl === undefined ? '' : ' --database-url …'}`
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
