/** What Plugwork loads: `plugwork.connectors` in package.json names this file as it is built. */
import { acme } from './acme.ts'

export { acme }

export const connectors = [acme]
