import { PlugworkError, type ErrorSpec, type PlugworkErrorOptions } from '../error.ts'

/** Error codes of calling actions; what an action itself fails with has the codes of its connector. */
export const ERRORS = {
  action_failed: { status: 502, retryable: true, summary: 'An action threw an error that carries no code of its own.' },
  action_unknown: { status: 404, retryable: false, summary: 'A connector has no action of this name.' },
  action_input_invalid: {
    status: 422,
    retryable: false,
    summary: "The parameters of an action do not fit the action's schema.",
  },
  action_output_invalid: {
    status: 502,
    retryable: false,
    summary: "What an action returned does not fit the action's own schema.",
  },
  action_without_lookup: {
    status: 500,
    retryable: false,
    summary: 'A step has `on_interrupt: check`, but its action cannot look up what an earlier attempt did.',
  },
  action_option_invalid: {
    status: 422,
    retryable: false,
    summary: 'An option of a call (a duration, a limit, a bound) cannot be used; the message names it.',
  },
  action_timeout: { status: 504, retryable: true, summary: 'An action took longer than its time limit.' },
  action_aborted: { status: 499, retryable: false, summary: 'The caller aborted the call of an action.' },
  action_rate_limited: {
    status: 429,
    retryable: true,
    summary:
      'The limit of a connector or connection leaves no room for the call within the time it may wait; `data.retryAfterMs` says when there is.',
  },
  action_circuit_open: {
    status: 503,
    retryable: true,
    summary:
      'The service behind a connection failed several times in a row, so it is left alone for a while; `data.closesAt` says how long.',
  },
  action_without_pages: { status: 422, retryable: false, summary: 'An action that answers no list has no pages.' },
  action_pages_endless: {
    status: 502,
    retryable: false,
    summary:
      'A list did not come to its end: the same page was asked for again, or there were more pages than allowed.',
  },
  value_not_json: {
    status: 500,
    retryable: false,
    summary: 'A task or action returned something that cannot be stored as JSON.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ActionErrorCode = keyof typeof ERRORS

/** An error of this area, retryable as its table row says. */
export function actionError(code: ActionErrorCode, message: string, options: PlugworkErrorOptions = {}): PlugworkError {
  return new PlugworkError(code, message, { retryable: ERRORS[code].retryable, ...options })
}
