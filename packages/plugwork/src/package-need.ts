/** Which of the packages that a connector loads are there: in the project first, then beside Plugwork itself. */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { findInstalled, versionFits, type InstalledPackage, type PackageNeed } from '@plugwork/core/node'

export interface NeededPackage extends PackageNeed {
  /** `wrong`: another version than the tested ones is installed. */
  readonly status: 'ok' | 'missing' | 'wrong'
  /** Version that would be loaded; null when there is none. */
  readonly installed: string | null
  /** Where it was found. */
  readonly place: 'project' | 'plugwork' | null
}

/** Looks for packages as a connector's loader does, without loading them. */
export async function lookForPackages(
  directory: string,
  needs: readonly PackageNeed[],
): Promise<readonly NeededPackage[]> {
  return Promise.all(needs.map((need) => lookFor(directory, need)))
}

async function lookFor(directory: string, { name, range }: PackageNeed): Promise<NeededPackage> {
  const own = findInstalled(name, directory)
  const found: InstalledPackage | null = own ?? findInstalled(name, connectorsFolder())
  if (found === null) return { name, range, status: 'missing', installed: null, place: null }
  const { version } = found
  const status = (await versionFits(version, range)) ? 'ok' : 'wrong'
  return { name, range, status, installed: version, place: own === null ? 'plugwork' : 'project' }
}

/** Where the built-in connectors import from. */
function connectorsFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('@plugwork/connectors'))
}
