/**
 * Values of `secrets.NAME`: the variable `PLUGWORK_SECRET_<NAME>`, else the line `NAME=value` of `secrets.env` in the
 * project folder (which `plugwork init` keeps out of git). The file is read again when it has changed, so that a rotated
 * secret reaches the next attempt of a step.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PlugworkError } from '../error.ts'
import { projectProblem } from './errors.ts'
import type { FileProblem } from './project.ts'

export const SECRETS_FILE = 'secrets.env'
const PREFIX = 'PLUGWORK_SECRET_'

export interface SecretSource {
  /** The value now; null when there is none. Throws `secrets_file_invalid` when the file cannot be read. */
  get(name: string): string | null
  /** Names there are, for the checker and `doctor`; never values. */
  names(): readonly string[]
  /** What is wrong with the file: readable by others, lines that are not understood. */
  problems(): readonly FileProblem[]
}

interface SecretsFile {
  readonly stamp: string
  readonly values: ReadonlyMap<string, string>
  readonly problems: readonly FileProblem[]
}

export function openSecrets(
  directory: string,
  environment: { readonly [name: string]: string | undefined },
): SecretSource {
  const path = join(directory, SECRETS_FILE)
  let file: SecretsFile = { stamp: '', values: new Map(), problems: [] }
  const current = (): SecretsFile => {
    const stat = statSync(path, { throwIfNoEntry: false })
    const stamp = stat === undefined ? '' : `${stat.mtimeMs} ${stat.size} ${stat.ino} ${stat.mode}`
    if (stamp !== file.stamp) file = stat === undefined ? emptyFile : readSecretsFile(path, stamp, stat.mode)
    return file
  }
  return {
    get: (name) => environment[PREFIX + name] ?? current().values.get(name) ?? null,
    names: () => [
      ...new Set([
        ...Object.keys(environment)
          .filter((name) => name.startsWith(PREFIX))
          .map((name) => name.slice(PREFIX.length)),
        ...current().values.keys(),
      ]),
    ],
    problems: () => current().problems,
  }
}

const emptyFile: SecretsFile = { stamp: '', values: new Map(), problems: [] }

function readSecretsFile(path: string, stamp: string, mode: number): SecretsFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new PlugworkError('secrets_file_invalid', `${SECRETS_FILE} cannot be read: ${(cause as Error).message}.`, {
      cause,
    })
  }
  const values = new Map<string, string>()
  const problems: FileProblem[] = []
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    const message = `${SECRETS_FILE} can be read by other users of this machine.`
    problems.push(projectProblem('PW1308', SECRETS_FILE, message, { suggestion: `Run \`chmod 600 ${SECRETS_FILE}\`.` }))
  }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line)
    // The line itself is not shown: it may be a secret.
    if (match) values.set(match[1]!, unquote(match[2]!))
    else problems.push(projectProblem('PW1308', SECRETS_FILE, 'The line is not `NAME=value`.', { line: index + 1 }))
  }
  return { stamp, values, problems }
}

/** One pair of quotes around the whole value is taken off; nothing inside is interpreted. */
function unquote(value: string): string {
  const quoted = /^(["'])([\s\S]*)\1$/.exec(value)
  return quoted ? quoted[2]! : value
}
