/** `plugwork connection deps`: the packages that a connector loads, which of them are there, and installing the others. */
import { connectorsOf } from '../connectors.ts'
import type { Context } from '../context.ts'
import { EXIT } from '../exit.ts'
import { addPackages } from '../package-manager.ts'
import { lookForPackages, type NeededPackage } from '../package-need.ts'
import { findProjectFolder } from '../project-folder.ts'
import { table } from '../render/text.ts'
import { connectorNamed } from './connection.ts'

export interface DepsOptions {
  readonly check?: boolean
  readonly install?: boolean
  readonly json?: boolean
}

export async function deps(context: Context, name: string, options: DepsOptions): Promise<number> {
  const directory = findProjectFolder(context.workingDirectory)
  using known = await connectorsOf(directory)
  const { connector } = connectorNamed(known, name)
  const needs = connector.packages ?? []
  let packages = await lookForPackages(directory, needs)
  if (options.install && !packages.every(isFine)) {
    const wanted = packages.filter((need) => !isFine(need)).map((need) => `${need.name}@${need.range}`)
    await addPackages(context, directory, wanted)
    packages = await lookForPackages(directory, needs)
  }
  if (options.json) context.json({ connector: connector.name, packages })
  else print(context, connector.name, packages)
  const asked = options.check || options.install
  return asked && !packages.every(isFine) ? EXIT.failed : EXIT.done
}

const isFine = ({ status }: NeededPackage): boolean => status === 'ok'

function print(context: Context, connector: string, packages: readonly NeededPackage[]): void {
  if (packages.length === 0) {
    context.print(`${connector} needs no packages.`)
    return
  }
  const { good, bad, warn, dim } = context.style
  const labels = { ok: good('ok'), missing: bad('missing'), wrong: warn('wrong') }
  const rows = packages.map(({ name, range, status, installed, place }) => {
    const where = place === 'project' ? 'in the project' : 'beside Plugwork'
    return [labels[status], name, `needs ${range}`, installed === null ? '' : dim(`${installed} ${where}`)]
  })
  context.print(table(rows, context.wrapAt))
  if (!packages.every(isFine)) context.note(`Install with: plugwork connection deps ${connector} --install`)
}
