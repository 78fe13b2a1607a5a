import type { ErrorSpec } from '../error.ts'

/** Error codes of connector definitions. What connectors raise themselves is in their own tables. */
export const ERRORS = {
  connector_invalid: {
    status: 500,
    retryable: false,
    summary: 'The definition of a connector is not valid; the message lists everything that is wrong with it.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ConnectorErrorCode = keyof typeof ERRORS
