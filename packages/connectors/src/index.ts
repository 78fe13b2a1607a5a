/**
 * `@plugwork/connectors`: the connectors that come with Plugwork, loaded as they are used. Each one has an entry of its own
 * as well: `@plugwork/connectors/http`.
 */
import { createRequire } from 'node:module'
import type { Connector } from '@plugwork/core/node'
import { LABELS } from './labels.ts'
import { lazyConnector } from './lazy-connector.ts'

const require = createRequire(import.meta.url)
// Unbuilt the files are `.ts`, in the published package `.js`: as this one.
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))

/** Every connector of this package, for a runtime. */
export const builtinConnectors: readonly Connector[] = LABELS.map((label) =>
  lazyConnector(label, () => {
    const module = require(`./${label.name}/${label.name}${extension}`) as { readonly [name: string]: Connector }
    return module[label.name]!
  }),
)
