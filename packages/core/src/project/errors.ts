import type { ErrorSpec } from '../error.ts'
import type { FlowProblem } from '../flow/problem.ts'

/** Error codes of projects, settings and keys. */
export const ERRORS = {
  project_not_found: { status: 404, retryable: false, summary: 'The folder or file of a project does not exist.' },
  settings_invalid: { status: 422, retryable: false, summary: 'A setting has a value that it cannot have.' },
  settings_unavailable: {
    status: 501,
    retryable: false,
    summary: 'A setting asks for something that this build does not have.',
  },
  keys_invalid: { status: 500, retryable: false, summary: 'The key ring cannot be read or has no usable key.' },
  secrets_file_invalid: { status: 500, retryable: false, summary: 'The file `secrets.env` cannot be read.' },
  tasks_file_invalid: { status: 422, retryable: false, summary: 'A file of tasks cannot be loaded.' },
  task_input_invalid: { status: 422, retryable: false, summary: "The inputs of a task do not fit the task's schema." },
  task_output_invalid: {
    status: 502,
    retryable: false,
    summary: "What a task returned does not fit the task's schema.",
  },
  task_schema_async: {
    status: 500,
    retryable: false,
    summary: 'A task declares an input schema that validates asynchronously.',
  },
} as const satisfies Record<string, ErrorSpec>

export type ProjectErrorCode = keyof typeof ERRORS

interface ProjectCode {
  readonly severity: FlowProblem['severity']
  readonly summary: string
  readonly remedy: string
}

/** Codes of problems that belong to files of a project rather than to one flow. Stable like those of the checker. */
export const PROJECT_CODES = {
  PW1301: {
    severity: 'error',
    summary: 'Two files have flows of one name; neither is served.',
    remedy: 'Rename one of the two.',
  },
  PW1302: { severity: 'error', summary: 'A file cannot be read.', remedy: 'Check that it exists and who may read it.' },
  PW1303: {
    severity: 'error',
    summary: 'A TypeScript file does not load.',
    remedy: 'Correct what its own error names; enums, namespaces and parameter properties do not work unbuilt.',
  },
  PW1304: {
    severity: 'error',
    summary: 'A TypeScript flow file does not export a flow.',
    remedy: 'Write `export default defineFlow({ … })`.',
  },
  PW1305: {
    severity: 'warning',
    summary: 'The types of plain task functions are not known: TypeScript is not installed.',
    remedy: 'Install it with `npm install --save-dev typescript@6.0`, or declare tasks with `defineTask`.',
  },
  PW1306: {
    severity: 'error',
    summary: 'A task function has parameters that a task cannot have.',
    remedy: 'Write it as `(inputs, context) => outputs`.',
  },
  PW1307: {
    severity: 'warning',
    summary: 'A setting is not known, or does not belong where it stands.',
    remedy: 'Use the suggested name, or remove it.',
  },
  PW1308: {
    severity: 'warning',
    summary: '`secrets.env` can be read by other users, or has a line that is no `NAME=value`.',
    remedy: 'Run `chmod 600 secrets.env`, or correct the line.',
  },
  PW1309: {
    severity: 'warning',
    summary: 'A connector package of the project is left out; its connectors are not known.',
    remedy: 'Do what the message says, or remove the package from `package.json`.',
  },
} as const satisfies Record<string, ProjectCode>

export type ProjectCodeName = keyof typeof PROJECT_CODES

/** A problem of a file of the project. Without a place it stands at the beginning of the file. */
export function projectProblem(
  code: ProjectCodeName,
  file: string,
  message: string,
  place: { readonly line?: number; readonly column?: number; readonly suggestion?: string } = {},
): FlowProblem & { readonly file: string } {
  const { line = 1, column = 1, suggestion } = place
  const found = { file, code, severity: PROJECT_CODES[code].severity, message, line, column }
  return suggestion === undefined ? found : { ...found, suggestion }
}
