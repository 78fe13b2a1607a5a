import type { ErrorSpec } from '../error.ts'

/** Errors that the engine raises in a run (what a flow's `catch` can name), or answers its caller with. */
export const ENGINE_ERRORS = {
  failed: { status: 422, retryable: false, summary: 'A `fail` step raised an error without a code of its own.' },
  exit_failure: { status: 422, retryable: false, summary: 'An `exit` step ended the run with status `failure`.' },
  timeout: {
    status: 504,
    retryable: true,
    summary: 'A step, a block or the whole run took longer than its `timeout`.',
  },
  interrupted: {
    status: 500,
    retryable: false,
    summary: 'The process died while the step ran, and the step says `on_interrupt: fail`.',
  },
  resolved_as_failed: { status: 500, retryable: false, summary: 'An operator resolved a held step as failed.' },
  repeat_exhausted: {
    status: 422,
    retryable: false,
    summary: 'A `repeat` reached `max` iterations before its `until` was true.',
  },
  pure_budget: {
    status: 500,
    retryable: false,
    summary:
      'A run computed five million steps without reaching an effect or a wait; nothing may hold a worker that long.',
  },
  items_not_a_list: { status: 422, retryable: false, summary: '`for_each` got something that is not a list.' },
  bad_duration: { status: 422, retryable: false, summary: 'A wait got something that is not a duration.' },
  bad_time: {
    status: 422,
    retryable: false,
    summary: '`wait: { until }` got something that is not a time with a zone.',
  },
  bad_text: {
    status: 422,
    retryable: false,
    summary: 'A value that must be text (an event name, a label, a title) is not.',
  },
  secret_not_allowed: {
    status: 422,
    retryable: false,
    summary: 'A secret was used in a place where it would be stored.',
  },
  sql_empty_list: { status: 422, retryable: false, summary: 'An empty list stands beside other values in `in (…)`.' },
  path_segment: {
    status: 422,
    retryable: false,
    summary: 'A value cannot be a segment of a URL path: empty, not text, or one that leads elsewhere.',
  },
  wait_unknown: { status: 422, retryable: false, summary: '`wait_url` names a wait that the flow does not have.' },
  subflow_failed: { status: 500, retryable: true, summary: 'A sub-flow failed; `cause` is its error.' },
  subflow_cancelled: { status: 500, retryable: false, summary: 'A sub-flow was cancelled from outside.' },
  subflow_unknown: { status: 500, retryable: false, summary: 'A sub-flow was not pinned when the run started.' },
  exit_in_handler: {
    status: 422,
    retryable: false,
    summary: '`exit` cannot stand in `finally`, `on_cancel` or the `on_error` of the flow.',
  },
  rethrow_outside: { status: 422, retryable: false, summary: '`rethrow` stands where no error is being handled.' },
  cancelled: { status: 409, retryable: false, summary: 'The run was cancelled.' },
  run_not_started: { status: 500, retryable: false, summary: 'An event was given for a run that has not started.' },
  plan_invalid: { status: 500, retryable: false, summary: 'A plan cannot be interpreted; check the flow again.' },
  state_version: {
    status: 500,
    retryable: false,
    summary: 'A snapshot was written by another version; replay the journal from its start.',
  },
  record_invalid: { status: 500, retryable: false, summary: 'A journal record cannot be read.' },
} as const satisfies { readonly [code: string]: ErrorSpec }

export type EngineErrorCode = keyof typeof ENGINE_ERRORS
