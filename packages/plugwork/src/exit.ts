/** Exit codes of every command, and the error that carries one. */
import { PlugworkError } from '@plugwork/core/error'
import type { CommandErrorCode } from './errors.ts'

export const EXIT = {
  done: 0,
  /** The run, check or test failed. */
  failed: 1,
  /** Wrong usage, or a file that cannot be used. */
  usage: 2,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** An error that ends the command with exit code 2: what was typed, or a file that was named, cannot be used. */
export class UsageError extends PlugworkError {
  /** A line that says what to do, printed below the message. */
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super('usage' satisfies CommandErrorCode, message)
    this.name = 'UsageError'
    this.hint = hint
  }
}
