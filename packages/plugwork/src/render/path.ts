import { relative, sep } from 'node:path'
import type { Context } from '../context.ts'

/** A path as the user would type it from where they are; absolute when it lies elsewhere. */
export function showPath(context: Pick<Context, 'workingDirectory'>, path: string): string {
  const shown = relative(context.workingDirectory, path)
  if (shown === '') return '.'
  return shown.startsWith(`..${sep}..${sep}..`) ? path : shown
}

/** The options by which another command, typed in the same place, finds the same project and store. */
export function whereOptions(
  context: Pick<Context, 'workingDirectory'>,
  folder: { readonly directory: string },
  dataDir: string | undefined,
): string {
  const project =
    folder.directory === context.workingDirectory ? '' : ` --project ${quote(showPath(context, folder.directory))}`
  return `${project}${dataDir === undefined ? '' : ` --data-dir ${quote(dataDir)}`}`
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
