/** One flow file: read or imported, and put into the form that the compiler takes. */
import { readFile } from 'node:fs/promises'
import { parseFlow, type ParsedFlow } from '../flow/parse.ts'
import { documentOf } from '../flow/object.ts'
import { projectProblem } from './errors.ts'
import { errorPlace, importMessage, type ModuleLoader } from './module-loader.ts'
import type { FileProblem } from './project.ts'

/** A flow file as it was read; its problems keep it from being compiled. */
export interface FlowFile {
  /** Relative to the project folder. */
  readonly file: string
  readonly source: string
  /** The file and what it imports, absolute. */
  readonly files: readonly string[]
  readonly document: ParsedFlow | null
  readonly problems: readonly FileProblem[]
}

/** Reads a flow file. Never throws on what an author got wrong. */
export async function readFlowFile(path: string, file: string, loader: ModuleLoader): Promise<FlowFile> {
  let source: string
  try {
    source = await readFile(path, 'utf8')
  } catch (error) {
    const message = `The file cannot be read: ${(error as Error).message}.`
    return { file, source: '', files: [path], document: null, problems: [projectProblem('PW1302', file, message)] }
  }
  if (path.endsWith('.ts')) return importFlowFile(path, file, source, loader)
  return { file, source, files: [path], document: parseFlow(source), problems: [] }
}

async function importFlowFile(path: string, file: string, source: string, loader: ModuleLoader): Promise<FlowFile> {
  try {
    const { graph, exports } = await loader.load(path)
    const files = graph.files
    const flow = exports['default']
    if (typeof flow === 'object' && flow !== null) {
      return { file, source, files, document: documentOf(flow), problems: [] }
    }
    const message = 'The file has no flow as its default export.'
    const suggestion = 'Write `export default defineFlow({ … })`.'
    return { file, source, files, document: null, problems: [projectProblem('PW1304', file, message, { suggestion })] }
  } catch (error) {
    const message = `The file does not load: ${importMessage(error)}`
    const problems = [projectProblem('PW1303', file, message, errorPlace(error, path))]
    return { file, source, files: [path], document: null, problems }
  }
}
