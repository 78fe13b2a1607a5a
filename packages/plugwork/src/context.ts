/** What a command is given of the world: streams, environment, working directory. Nothing else reaches for `process`. */
import { createStyle, type Style } from './render/style.ts'

export interface Context {
  readonly workingDirectory: string
  readonly environment: { readonly [name: string]: string | undefined }
  /** Writes a line (or several) to stdout: results. */
  print(text: string): void
  /** Writes a line to stderr: progress, warnings, hints. */
  note(text: string): void
  /** Prints the one JSON document of `--json`. */
  json(value: unknown): void
  /** Styles for stdout and stderr: plain where the stream is no terminal, or `NO_COLOR` or `CI` is set. */
  readonly style: Style
  readonly noteStyle: Style
  /** stderr is a terminal: progress may be redrawn. */
  readonly interactive: boolean
  /** stdin and stderr are terminals: questions may be asked. */
  readonly canAsk: boolean
  /** Columns of the terminal, or `COLUMNS`; 80 where there is neither. Values are shortened to it. */
  readonly columns: number
  /** Columns at which text of tables is wrapped; `Infinity` where nobody looks at a width (a file, a pipe). */
  readonly wrapAt: number
  readonly stderr: NodeJS.WriteStream
  /** Set by a command that gave up a step whose thread may compute on: the process then ends without waiting for it. */
  readonly ending: { threadsLeft: boolean }
  /** All of stdin, as text. */
  readInput(): Promise<string>
}

export function processContext(): Context {
  const { stdout, stderr, stdin, env } = process
  const color = (stream: NodeJS.WriteStream): boolean => {
    if (env['NO_COLOR']) return false
    if (env['FORCE_COLOR'] !== undefined) return env['FORCE_COLOR'] !== '0'
    return stream.isTTY === true && env['TERM'] !== 'dumb' && !env['CI']
  }
  // Shells keep COLUMNS to themselves: who exports it means it.
  const asked = Number(env['COLUMNS'])
  const columns = Number.isSafeInteger(asked) && asked > 0 ? asked : null
  return {
    workingDirectory: process.cwd(),
    environment: env,
    print: (text) => void stdout.write(`${text}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    json: (value) => void stdout.write(`${JSON.stringify(value, null, stdout.isTTY ? 2 : undefined)}\n`),
    style: createStyle(color(stdout)),
    noteStyle: createStyle(color(stderr)),
    interactive: stderr.isTTY === true && env['TERM'] !== 'dumb' && !env['CI'],
    canAsk: stdin.isTTY === true && stderr.isTTY === true && !env['CI'],
    columns: columns ?? ((stdout.isTTY ? stdout.columns : stderr.columns) || 80),
    wrapAt: columns ?? ((stdout.isTTY && stdout.columns) || Number.POSITIVE_INFINITY),
    stderr,
    ending: { threadsLeft: false },
    async readInput() {
      let text = ''
      stdin.setEncoding('utf8')
      for await (const chunk of stdin) text += chunk as string
      return text
    },
  }
}
