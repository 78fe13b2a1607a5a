/** Where a connection's database is: inside the project folder, whatever links and dots say. */
import { mkdir, realpath } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { PlugworkError } from '@plugwork/core'

/** Absolute path of `database`; makes its folder where it is to be written. Throws `sqlite_config`. */
export async function databaseFile(
  database: string,
  { directory, name, readOnly }: { readonly directory: string; readonly name: string; readonly readOnly: boolean },
): Promise<string> {
  if (database === ':memory:') return database
  const refuse = (why: string): PlugworkError =>
    new PlugworkError(
      'sqlite_config',
      `The database of connection "${name}" ${why}. Give a path inside the project folder, such as ./data/app.db, or :memory:.`,
    )
  if (database.trim() === '' || database.includes('\0')) throw refuse('is not a path')
  if (/^file:/i.test(database)) throw refuse('is a URI')
  const root = await realpath(directory)
  const file = resolve(root, database)
  if (!isInside(root, file)) throw refuse('is outside of the project folder')
  const folder = dirname(file)
  if (!isInside(root, await realpathOfNearest(folder))) throw refuse('is outside of the project folder, behind a link')
  if (!readOnly) await mkdir(folder, { recursive: true })
  if (!isInside(root, await realpathOfNearest(file))) throw refuse('is a link to outside of the project folder')
  return file
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** Real path of a file, or of the nearest folder above it that exists. */
async function realpathOfNearest(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT' || dirname(path) === path) throw error
    return realpathOfNearest(dirname(path))
  }
}
