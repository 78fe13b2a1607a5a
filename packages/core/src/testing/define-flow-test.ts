import type { CaseResult, Fakes, TestCaseDocument, TestFileDocument } from './test-file.ts'

/** A case in TypeScript: fakes may be functions, and `check` may look at everything. */
export interface FlowTestCase extends Omit<TestCaseDocument, 'fakes'> {
  readonly fakes?: Fakes
  readonly check?: (result: CaseResult) => void | Promise<void>
}

export interface FlowTestOptions extends Omit<TestFileDocument, 'cases' | 'fakes'> {
  readonly fakes?: Fakes
  readonly cases: readonly FlowTestCase[]
}

export interface FlowTest extends FlowTestOptions {
  readonly [FLOW_TEST]: true
}

/** Marks flow tests across copies of this package. */
const FLOW_TEST = Symbol.for('plugwork.flow_test')

/**
 * Declares the tests of a `*.test.ts` file; export it as the default.
 *
 * ```ts
 * export default defineFlowTest({
 *   flow: 'OrderFulfillment',
 *   cases: [
 *     {
 *       name: 'a card that is refused',
 *       inputs: { order_id: 'A-1' },
 *       fakes: { ChargeCard: ({ attempt }) => ({ accepted: attempt > 2 }) },
 *       expect: { status: 'succeeded', calls: { ChargeCard: 3 } },
 *     },
 *   ],
 * })
 * ```
 */
export function defineFlowTest(options: FlowTestOptions): FlowTest {
  return { ...options, [FLOW_TEST]: true }
}

export function isFlowTest(value: unknown): value is FlowTest {
  return typeof value === 'object' && value !== null && FLOW_TEST in value
}
