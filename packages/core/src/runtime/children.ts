import type { ErrorInfo } from '../error.ts'
import type { NewRun } from '../store/store.ts'
import { toErrorInfo } from './error-info.ts'
import type { GivenInputs, InputChecker } from './inputs.ts'
import type { RunActor } from './run-actor.ts'
import { newRun, type RunFactory } from './run-facts.ts'
import type { StartChild } from './run-shell.ts'

export interface ChildOptions {
  readonly factory: RunFactory
  readonly inputs: InputChecker
  readonly now: number
}

/**
 * The row of a sub-flow's run, to be stored with the record that starts it; or, as an error, why it cannot be started.
 * The child is pinned to the flow version that its parent was given at its own start.
 */
export function childRun(parent: RunActor, command: StartChild, options: ChildOptions): NewRun | ErrorInfo {
  const { path, attempt, flow, hash } = command
  const loaded = parent.subflows.get(hash)
  if (loaded === undefined) {
    return { code: 'subflow_unknown', step: path, message: `Version ${hash} of the sub-flow ${flow} is not loaded.` }
  }
  // The input of a sub-flow step is a map of the child's inputs.
  const checked = options.inputs.check(loaded.plan, command.inputs as GivenInputs)
  if (checked.kind === 'invalid') {
    const list = checked.problems.map(({ message }) => message).join(' ')
    return {
      code: 'input_invalid',
      step: path,
      message: `The inputs of the sub-flow ${flow} do not fit: ${list}`,
      data: { problems: checked.problems.map(({ input, message }) => ({ input, message })) },
    }
  }
  try {
    return newRun(options.factory, {
      tenant: parent.tenant,
      loaded,
      inputs: checked.inputs,
      trigger: { kind: 'subflow', run_id: parent.runId, step: path },
      ...(parent.identity.user === null ? {} : { user: parent.identity.user }),
      subflows: parent.identity.subflows,
      eventMark: parent.identity.eventMark,
      now: options.now,
      parent: {
        rid: parent.rid,
        rootRid: parent.identity.rootRid ?? parent.rid,
        rootRunId: parent.identity.rootRunId,
        path,
        attempt,
        keys: parent.identity.keys,
      },
    })
  } catch (error) {
    return toErrorInfo(error, { code: 'subflow_failed' })
  }
}
