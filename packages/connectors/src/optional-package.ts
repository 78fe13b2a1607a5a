/** Vendors' clients are optional peers: loaded when a connection first needs them, and asked for by name when missing. */
import { PlugworkError, type ErrorSpec } from '@plugwork/core'
import { importInstalled, type PackageNeed } from '@plugwork/core/node'

/**
 * Loads a package as the project in `directory` has it, else with `load` (an `import()` of the package) as this package sees
 * it: Plugwork may be installed elsewhere. Throws `<connector>_package` that says how to install what is missing.
 */
export async function loadPackage<Module>(
  connector: string,
  { name, range }: PackageNeed,
  directory: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    // The same package, found from another place: its types are those of `load`.
    const own = (await importInstalled(name, directory)) as Module | null
    return own ?? (await load())
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new PlugworkError(
      `${connector}_package`,
      `The ${connector} connector needs the package ${name}@${range}, which is not installed. Run \`plugwork connection deps ${connector} --install\`.`,
      { cause, data: { package: name, range } },
    )
  }
}

/** Row of a connector's table for the error that `loadPackage` throws. */
export const packageMissing = (name: string): ErrorSpec => ({
  status: 424,
  retryable: false,
  summary: `The package \`${name}\` is not installed; \`plugwork connection deps\` does it.`,
})
