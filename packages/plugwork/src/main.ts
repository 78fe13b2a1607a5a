/** Runs the command line once: parses, carries out, turns errors into messages and exit codes. */
import { CommanderError } from 'commander'
import { PlugworkError } from '@plugwork/core/error'
import { processContext, type Context } from './context.ts'
import { EXIT, UsageError } from './exit.ts'
import { leaveThreadsBehind } from './leave.ts'
import { createProgram, VERSION_ASKED } from './program.ts'

export async function main(): Promise<void> {
  // `plugwork … | head` closes the pipe early; that is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done)
    throw error
  })
  const context = processContext()
  const args = process.argv.slice(2)
  const code = await runCommand(context, args)
  if (context.ending.threadsLeft) await leaveThreadsBehind(code)
  process.exitCode = code
}

/** Carries out one command line; resolves to its exit code. */
export async function runCommand(context: Context, args: readonly string[]): Promise<number> {
  const result = { code: EXIT.done as number }
  const program = createProgram(context, (code) => (result.code = code))
  try {
    await program.parseAsync(args, { from: 'user' })
    return result.code
  } catch (error) {
    if (error instanceof CommanderError && error.code === VERSION_ASKED) return runCommand(context, ['version'])
    return report(context, error, wantsJson(args))
  }
}

/** Commands know their own options; here only whether a failure has to be a JSON document. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end < 0 ? args : args.slice(0, end)).includes('--json')
}

async function report(context: Context, thrown: unknown, json: boolean): Promise<number> {
  const error = await known(thrown)
  if (error instanceof CommanderError) {
    // Commander has printed help and its own messages already.
    if (error.exitCode === 0) return EXIT.done
    if (json) context.json({ error: { code: 'usage', message: error.message.replace(/^error: /, '') } })
    return EXIT.usage
  }
  const { bad, dim } = context.noteStyle
  if (!(error instanceof PlugworkError)) {
    const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
    if (json) context.json({ error: { code: 'internal', message } })
    context.note(`${bad('error')} ${stack ?? message}`)
    context.note(dim('This is a defect of Plugwork; please report it with the text above.'))
    return EXIT.failed
  }
  if (json) {
    const { code, message, data } = error
    context.json({ error: { code, message, ...(data === undefined ? {} : { data }) } })
  }
  context.note(`${bad('error')} ${error.message}${error.code === 'usage' ? '' : dim(` (${error.code})`)}`)
  if (error instanceof UsageError && error.hint !== undefined) context.note(error.hint)
  return error instanceof UsageError || USAGE_CODES.has(error.code) ? EXIT.usage : EXIT.failed
}

/** What SQLite says of a damaged or locked file, wherever it was noticed, is no defect: it gets its code and remedy. */
async function known(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('errcode' in error)) return error
  const { fromSqlite } = await import('@plugwork/core/node')
  return fromSqlite(error, 'The database of the data folder')
}

/** Codes of other areas that mean: what was named cannot be used. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'project_not_found',
  'settings_invalid',
  'settings_unavailable',
  'keys_invalid',
  'store_owned',
  'secrets_file_invalid',
  'tasks_file_invalid',
])
