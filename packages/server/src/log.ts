/** The server's log: pino, with what must never be written redacted in one place. */
import { pino } from 'pino'

export type LogMethod = {
  (message: string): void
  (facts: object, message: string): void
}

/** What the server asks of a logger; pino's own type, narrowed. */
export interface Log {
  debug: LogMethod
  info: LogMethod
  warn: LogMethod
  error: LogMethod
  isLevelEnabled(level: string): boolean
}

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** `json`: one document a line. `text`: for people. */
  readonly format: 'json' | 'text'
  /** Where lines go. */
  readonly write: (line: string) => void
}

/** Names whose values are cut out of every line, at the top and one level down. */
const REDACTED = ['authorization', 'cookie', '["set-cookie"]', 'token', 'password', 'secret', '["x-api-key"]']

/** Makes the log. */
export function createLog(options: LogOptions): Log {
  const { level, format, write } = options
  const paths = REDACTED.flatMap((name) => (name.startsWith('[') ? [name, `*${name}`] : [name, `*.${name}`]))
  return pino(
    {
      level,
      base: null,
      redact: { paths, censor: '***' },
      serializers: { err: pino.stdSerializers.err },
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: format === 'json' ? write : (line: string) => write(readable(line)) },
  )
}

/** A log that writes nothing. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  isLevelEnabled: () => false,
}

/** `12:00:01 warn  message  key=value …` of a JSON line. */
function readable(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>
  const clock = new Date(Number(time)).toISOString().slice(11, 23)
  const facts = Object.entries(rest).map(([key, value]) => `${key}=${printable(value)}`)
  const stack = isErrorFacts(err) ? `\n  ${(err.stack ?? err.message).replaceAll('\n', '\n  ')}` : ''
  return `${[clock, String(level).padEnd(5), String(msg ?? ''), ...facts].join('  ')}${stack}\n`
}

function printable(value: unknown): string {
  return typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)
}

function isErrorFacts(value: unknown): value is { readonly message: string; readonly stack?: string } {
  return typeof value === 'object' && value !== null && 'message' in value
}
