import { STRING } from '../type.ts'
import { func, text } from './entry.ts'
import type { Entry } from './entry.ts'

export const WAITS = [
  func('wait_url', {
    area: 'run',
    parameters: [text('id')],
    result: STRING,
    doc: 'The link that resumes the wait with this id, known before the wait begins. Outside a run it leads nowhere.',
    examples: [['wait_url("approve")', 'about:blank#approve']],
    cost: 'constant',
    run: ({ scope }, id) => scope.waitUrl?.(id) ?? `about:blank#${id}`,
  }),
] satisfies readonly Entry[]
