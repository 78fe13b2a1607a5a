import type { ErrorSpec } from '@plugwork/core'

/** Error codes of the command line's own, as `--json` shows them. */
export const ERRORS = {
  usage: {
    status: 400,
    retryable: false,
    summary: 'A command was typed that makes no sense, or names a file that cannot be used.',
  },
  packages_not_installed: {
    status: 502,
    retryable: true,
    summary: 'The package manager of the project could not install what was asked for.',
  },
} as const satisfies Record<string, ErrorSpec>

export type CommandErrorCode = keyof typeof ERRORS
