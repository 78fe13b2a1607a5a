import type { StartOutcome } from '@plugwork/core/node'
import { ServerError } from '../errors.ts'

/** The error of a start that made no run. */
export function startFailure(
  flow: string,
  outcome: Exclude<StartOutcome, { readonly kind: 'accepted' | 'existing' }>,
): ServerError {
  switch (outcome.kind) {
    case 'unknown_flow':
      return new ServerError(
        'flow_not_found',
        `There is no flow ${flow}, or it is disabled. GET /api/v1/flows lists them.`,
      )
    case 'invalid_inputs': {
      const [first] = outcome.problems
      const detail = first === undefined ? '' : ` ${first.message}`
      return new ServerError('inputs_invalid', `The inputs do not fit flow ${flow}:${detail} No run was created.`, {
        extensions: { problems: outcome.problems },
      })
    }
    case 'concurrency_full':
      return new ServerError(
        'concurrency_full',
        `Flow ${flow} runs already for this concurrency key, and it is set to skip then. No run was created.`,
        { extensions: { holders: outcome.holders } },
      )
    case 'full':
      return new ServerError(
        'full',
        `The system is full. Nothing was stored; try again in ${outcome.retryAfterSeconds} s.`,
        { headers: { 'retry-after': String(outcome.retryAfterSeconds) } },
      )
  }
}
