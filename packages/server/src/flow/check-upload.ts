import { checkFlow, planHash } from '@plugwork/core'
import type { CheckFlow } from './registry.ts'

/** Compiles and checks an uploaded flow as `plugwork check` would. */
export const checkUpload: CheckFlow = (source, catalog) => {
  const { plan, problems } = checkFlow(source, catalog)
  return { plan, problems, hash: plan === null ? '' : planHash(plan) }
}
