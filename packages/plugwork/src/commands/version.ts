import { readBuild } from '../build.ts'
import type { Context } from '../context.ts'
import { EXIT } from '../exit.ts'

export async function version(context: Context, options: { readonly json?: boolean }): Promise<number> {
  const { version: number, commit } = readBuild()
  const node = process.version.slice(1)
  const storage = `sqlite ${process.versions['sqlite'] ?? 'unknown'}`
  if (options.json) {
    const platform = `${process.platform}-${process.arch}`
    context.json({ version: number, build: commit, node, storage: [storage], platform })
    return EXIT.done
  }
  const build = commit === null ? '' : context.style.dim(` (${commit})`)
  context.print(`plugwork ${number}${build}`)
  context.print(context.style.dim(`Node ${node}, ${storage}, ${process.platform}-${process.arch}`))
  return EXIT.done
}
