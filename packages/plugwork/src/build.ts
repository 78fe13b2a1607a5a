/** What this build is: version, commit where it is known, and where it lies. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Folder of the installed package. */
export const PACKAGE_DIRECTORY = dirname(import.meta.dirname)

export interface Build {
  readonly version: string
  /** Commit of a clone; null in an installed package. */
  readonly commit: string | null
}

export function readBuild(): Build {
  const manifest = JSON.parse(readFileSync(join(PACKAGE_DIRECTORY, 'package.json'), 'utf8')) as { version: string }
  return { version: manifest.version, commit: readCommit(join(PACKAGE_DIRECTORY, '../../.git')) }
}

/** Reads the files that git keeps: starting git itself would cost more than the rest of the command. */
function readCommit(git: string): string | null {
  const read = (file: string): string | null => {
    try {
      return readFileSync(join(git, file), 'utf8')
    } catch {
      return null
    }
  }
  const head = read('HEAD')?.trim()
  if (head === undefined) return null
  const reference = /^ref: (.+)$/.exec(head)?.[1]
  if (reference === undefined) return head.slice(0, 12)
  const packed = read('packed-refs')
    ?.split('\n')
    .find((line) => line.endsWith(` ${reference}`))
  const commit = read(reference)?.trim() ?? packed?.split(' ')[0]
  return commit?.slice(0, 12) ?? null
}
