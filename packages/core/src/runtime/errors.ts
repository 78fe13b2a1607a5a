import type { ErrorSpec } from '../error.ts'

/** Error codes of the runtime: what a step, a run or a control operation may be refused with. */
export const ERRORS = {
  input_invalid: { status: 422, retryable: false, summary: 'The inputs of a run or sub-flow do not fit its flow.' },
  task_failed: { status: 500, retryable: true, summary: 'A task threw an error that carries no code of its own.' },
  step_aborted: { status: 499, retryable: true, summary: 'An attempt was aborted before it began.' },
  output_missing: {
    status: 500,
    retryable: false,
    summary: 'A task or action did not return an output that the flow lists under `outputs`.',
  },
  value_too_large: { status: 413, retryable: false, summary: 'A single value is larger than 32 MiB.' },
  secret_missing: { status: 424, retryable: false, summary: 'A secret that a step or connection names is not set.' },
  secret_unreadable: {
    status: 500,
    retryable: false,
    summary: 'A secret input cannot be decrypted: the key is not the one it was sealed with.',
  },
  env_missing: {
    status: 424,
    retryable: false,
    summary: 'An environment variable that a step or connection names is not set or not allowed.',
  },
  connector_unknown: { status: 424, retryable: false, summary: 'A connector is not installed here.' },
  connection_unknown: { status: 424, retryable: false, summary: 'A flow declares no connection of this name.' },
  connection_timeout: {
    status: 504,
    retryable: true,
    summary: 'A connection did not open, or gave no handle, within 30 s.',
  },
  connection_config_invalid: {
    status: 422,
    retryable: false,
    summary: "A connection's config does not fit the connector's schema.",
  },
  connection_failed: { status: 502, retryable: true, summary: 'A connection could not be opened.' },
  connection_lost: {
    status: 502,
    retryable: true,
    summary: 'A connection broke while it was used; the next use opens a new one.',
  },
  connection_closed: { status: 503, retryable: true, summary: 'Connections are closed because the process stops.' },
  crash_loop: {
    status: 500,
    retryable: false,
    summary: 'The process died several times while it ran this run; the run is held until somebody decides.',
  },
  flow_version_missing: {
    status: 500,
    retryable: false,
    summary: 'The flow version that a run is pinned to is not in the store.',
  },
  nondeterminism: {
    status: 500,
    retryable: false,
    summary: 'Replaying a journal arrived at another step than the journal records; the run is held.',
  },
  run_unknown: { status: 404, retryable: false, summary: 'There is no such run.' },
  run_unreadable: { status: 500, retryable: false, summary: 'A stored run cannot be read; it is held.' },
  flow_unknown: { status: 404, retryable: false, summary: 'There is no such flow.' },
  signal_invalid: { status: 422, retryable: false, summary: "The data of a signal do not fit the wait's schema." },
  signals_full: {
    status: 429,
    retryable: true,
    summary: 'A run keeps as many signals as it may (1,000, or 4 MiB of data) that no step of it has taken.',
  },
  run_ended: { status: 409, retryable: false, summary: 'The run has ended already.' },
  run_not_ended: { status: 409, retryable: false, summary: 'The run has not ended yet.' },
  run_not_failed: { status: 409, retryable: false, summary: 'Only a failed run can be retried in place.' },
  run_not_held: { status: 409, retryable: false, summary: 'No step of the run needs attention.' },
  step_unknown: { status: 404, retryable: false, summary: 'The run or its flow has no such step.' },
  replay_mismatch: {
    status: 409,
    retryable: false,
    summary: 'The newest version of a flow has other steps before the one to replay from.',
  },
  stopping: { status: 503, retryable: true, summary: 'The process is shutting down and takes no new work.' },
  store_lost: {
    status: 503,
    retryable: true,
    summary: 'This process no longer owns its store; another one does, or the disk is gone.',
  },
} as const satisfies Record<string, ErrorSpec>

export type RuntimeErrorCode = keyof typeof ERRORS
