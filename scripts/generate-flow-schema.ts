/** Writes `docs/flow.schema.json`, the JSON Schema of flow files, from the grammar. A test compares the two. */
import { writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { flowJsonSchema } from '../packages/core/src/flow/json-schema.ts'

const file = new URL('../docs/flow.schema.json', import.meta.url)
const style = await resolveConfig(file)
writeFileSync(file, await format(JSON.stringify(flowJsonSchema()), { ...style, parser: 'json' }))
