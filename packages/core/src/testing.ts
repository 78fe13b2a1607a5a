/** `@plugwork/core/testing`: contract suites for those who write connectors and stores, and a clock that tests own. */
export { describeBlobStore, type OpenedBlobStore } from './blob/blob-store-contract.ts'
export {
  describeConnectorContract,
  type ConnectorEnvironment,
  type ContractCall,
  type ContractRunner,
} from './connector/connector-contract.ts'
export { describeLimitStore, type OpenedLimitStore } from './action/limit-store-contract.ts'
export { describeActionCache, type OpenedCache } from './action/cache-contract.ts'
export { describeStore, type OpenedStore, type TestFunctions } from './store/store-contract.ts'
export { VirtualClock } from './testing/virtual-clock.ts'
export { defineFlowTest, type FlowTest, type FlowTestCase, type FlowTestOptions } from './testing/define-flow-test.ts'
export { runTests, type RunTestsOptions } from './testing/run-test-file.ts'
export { tally, type CaseOutcome, type FileResult, type TestRun } from './testing/results.ts'
export { stepPercentage, type FlowCoverage } from './testing/coverage.ts'
export { junitReport, type JunitOptions } from './testing/junit.ts'
export type { CaseResult, FakeCall, FakeFunction, Fakes } from './testing/test-file.ts'
export { findFiles, isTestFile } from './project/find-files.ts'
export { recordCase, type RecordedCase, type RecordedRun } from './testing/record-case.ts'
