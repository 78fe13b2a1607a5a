import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '@plugwork/core/error'

/** Error codes of workflows that an application stores. */
export const ERRORS = {
  workflow_invalid: {
    status: 422,
    retryable: false,
    summary: 'A workflow does not pass the checker; the data has every problem with line and column.',
  },
  workflow_trigger_unsupported: {
    status: 422,
    retryable: false,
    summary: 'A workflow of the SDK has a trigger; it is started by the application, or served by `plugwork start`.',
  },
  workflow_exists: { status: 409, retryable: false, summary: 'The tenant has a workflow of this name already.' },
  workflow_not_found: {
    status: 404,
    retryable: false,
    summary: 'There is no such workflow or run, or it belongs to somebody else.',
  },
  workflow_disabled: { status: 409, retryable: false, summary: 'A workflow is disabled and takes no runs.' },
  workflow_inputs_invalid: {
    status: 422,
    retryable: false,
    summary: 'The inputs do not fit the workflow; no run was made.',
  },
  workflow_busy: {
    status: 429,
    retryable: true,
    summary: 'A workflow takes no further run now: its concurrency rule says so, or the process is full.',
  },
  workflow_database_missing: {
    status: 500,
    retryable: false,
    summary: 'Runs need a database of their own where `database` is a store of the application: `workflows.database`.',
  },
} as const satisfies Record<string, ErrorSpec>

export type WorkflowErrorCode = keyof typeof ERRORS

/** An error of this area, retryable as its table row says. */
export function workflowError(
  code: WorkflowErrorCode,
  message: string,
  options: PlugworkErrorOptions = {},
): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}
