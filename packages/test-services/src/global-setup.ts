/** `globalSetup` of vitest: the broker of services lives as long as the test run. */
import { BROKER_VARIABLE, startBroker } from './broker.ts'
import { SPECS } from './specs.ts'

export default async function setup(): Promise<() => Promise<void>> {
  const broker = await startBroker(SPECS)
  // Test files run in children, which inherit it.
  process.env[BROKER_VARIABLE] = broker.url
  return () => broker.close()
}
