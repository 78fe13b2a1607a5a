/**
 * Types of plain task functions, read with the TypeScript compiler where it is installed. Only `plugwork check` and
 * editors come here: at run time nothing needs types. Results are kept by the hash of the file and of what it imports.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type TypeScript from 'typescript'
import type { CatalogTask } from '../flow/catalog.ts'
import { projectProblem } from './errors.ts'
import type { FileProblem } from './project.ts'
import { projectPath, type TasksFile } from './tasks-file.ts'
import { typeToSchema, type TypeReader } from './type-schema.ts'

/** Raised when the same types would give other schemas. */
const FORMAT = 1

export interface TaskTypes {
  /** By file: the tasks with what is known of their types. */
  readonly catalogs: ReadonlyMap<string, readonly CatalogTask[]>
  readonly problems: readonly FileProblem[]
}

export interface TaskTypesOptions {
  readonly directory: string
  /** Folder for results, made when something is stored; null: nothing is kept. */
  readonly cache: string | null
  /** Gives the compiler; null when it is not installed. Default: the installed `typescript`. */
  readonly compiler?: () => Promise<typeof TypeScript | null>
}

interface FileTypes {
  readonly tasks: readonly CatalogTask[]
  readonly problems: readonly FileProblem[]
}

/** Reads the types of all files of tasks. Tasks declared with schemas keep those. */
export async function readTaskTypes(files: readonly TasksFile[], options: TaskTypesOptions): Promise<TaskTypes> {
  const catalogs = new Map<string, readonly CatalogTask[]>()
  const problems: FileProblem[] = []
  const missing: TasksFile[] = []
  const add = (file: TasksFile, found: FileTypes): void => {
    catalogs.set(file.file, mergeTypes(file.catalog, found.tasks))
    problems.push(...found.problems)
  }
  for (const file of files) {
    const known = isTyped(file) ? { tasks: [], problems: [] } : readCache(file, options)
    if (known) add(file, known)
    else missing.push(file)
  }
  if (missing.length === 0) return { catalogs, problems }
  const ts = await (options.compiler ?? installedCompiler)()
  if (ts === null) {
    const first = projectPath(options.directory, missing[0]!.file)
    problems.push(
      projectProblem(
        'PW1305',
        first,
        'TypeScript is not installed, so the types of plain task functions are not checked.',
        {
          suggestion: 'Install it with `npm install --save-dev typescript@6.0`, or declare tasks with `defineTask`.',
        },
      ),
    )
    return { catalogs, problems }
  }
  const reader = createReader(ts, missing, options.directory)
  for (const file of missing) {
    const found = readFileTypes(reader, file, options.directory)
    add(file, found)
    writeCache(file, options, found)
  }
  return { catalogs, problems }
}

/** True when every task has both schemas: the compiler would have nothing to add. */
function isTyped(file: TasksFile): boolean {
  return file.catalog.every((task) => task.input !== undefined && task.output !== undefined)
}

function mergeTypes(declared: readonly CatalogTask[], read: readonly CatalogTask[]): CatalogTask[] {
  const byName = new Map(read.map((task) => [task.name, task]))
  return declared.map((task) => ({ ...byName.get(task.name), ...task }))
}

async function installedCompiler(): Promise<typeof TypeScript | null> {
  try {
    return (await import('typescript')).default
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return null
    throw error
  }
}

interface ProgramReader extends TypeReader {
  readonly program: TypeScript.Program
}

/** One program for all files, so that the standard library is read once. */
function createReader(ts: typeof TypeScript, files: readonly TasksFile[], directory: string): ProgramReader {
  const program = ts.createProgram({
    rootNames: files.map((file) => file.file),
    options: {
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      noEmit: true,
      allowJs: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      types: hasNodeTypes(directory) ? ['node'] : [],
    },
  })
  return { ts, program, checker: program.getTypeChecker() }
}

/** Without `@types/node` what comes from Node's modules is unknown, which only makes the check more lenient. */
function hasNodeTypes(directory: string): boolean {
  for (let folder = directory; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'node_modules/@types/node'))) return true
    if (dirname(folder) === folder) return false
  }
}

function readFileTypes(reader: ProgramReader, file: TasksFile, directory: string): FileTypes {
  const { checker, program } = reader
  const source = program.getSourceFile(file.file)
  const symbol = source && checker.getSymbolAtLocation(source)
  if (!source || !symbol) return { tasks: [], problems: [] }
  const plain = new Set(file.catalog.filter((task) => !task.input && !task.output).map((task) => task.name))
  const tasks: CatalogTask[] = []
  const problems: FileProblem[] = []
  for (const exported of checker.getExportsOfModule(symbol)) {
    if (!plain.has(exported.getName())) continue
    const [signature] = checker.getTypeOfSymbolAtLocation(exported, source).getCallSignatures()
    if (!signature) continue
    tasks.push(readSignature(reader, exported, signature, source))
    const required = signature.parameters.length - 2
    if (required > 0) problems.push(extraParameters(reader, exported, signature, file, directory))
  }
  return { tasks, problems }
}

function readSignature(
  reader: ProgramReader,
  exported: TypeScript.Symbol,
  signature: TypeScript.Signature,
  source: TypeScript.SourceFile,
): CatalogTask {
  const { checker, ts } = reader
  const [parameter] = signature.parameters
  const input = parameter
    ? typeToSchema(reader, checker.getTypeOfSymbolAtLocation(parameter, source))
    : { type: 'object', additionalProperties: false }
  const returned = checker.getReturnTypeOfSignature(signature)
  const output = typeToSchema(reader, checker.getAwaitedType(returned) ?? returned)
  const description = ts.displayPartsToString(exported.getDocumentationComment(checker))
  return {
    name: exported.getName(),
    ...(isObjectSchema(input) ? { input } : {}),
    ...(isObjectSchema(output) ? { output } : {}),
    ...(description === '' ? {} : { description }),
  }
}

/** Steps give and take named values; of any other type the checker could say nothing. */
function isObjectSchema(schema: { readonly [key: string]: unknown }): boolean {
  return schema['type'] === 'object' || Array.isArray(schema['anyOf'])
}

function extraParameters(
  reader: ProgramReader,
  exported: TypeScript.Symbol,
  signature: TypeScript.Signature,
  file: TasksFile,
  directory: string,
): FileProblem {
  const declaration = signature.getDeclaration()
  const source = declaration.getSourceFile()
  const { line, character } = reader.ts.getLineAndCharacterOfPosition(source, declaration.getStart())
  const message = `Task ${exported.getName()} takes ${signature.parameters.length} parameters; a task is given two.`
  return projectProblem('PW1306', projectPath(directory, file.file), message, {
    line: line + 1,
    column: character + 1,
    suggestion: 'Write it as `({ first, second }, context) => …`: inputs arrive as one object.',
  })
}

function cacheFile(file: TasksFile, options: TaskTypesOptions): string | null {
  if (options.cache === null) return null
  const key = createHash('sha256').update(`${FORMAT} ${file.file} ${file.hash}`).digest('hex').slice(0, 32)
  return join(options.cache, 'task-types', `${key}.json`)
}

function readCache(file: TasksFile, options: TaskTypesOptions): FileTypes | null {
  const path = cacheFile(file, options)
  if (path === null || !existsSync(path)) return null
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as FileTypes
  } catch {
    // Half written by a process that died, or unreadable: read anew, and written over.
    return null
  }
}

function writeCache(file: TasksFile, options: TaskTypesOptions, found: FileTypes): void {
  const path = cacheFile(file, options)
  if (path === null) return
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, JSON.stringify(found))
  } catch (error) {
    // A cache that cannot be kept (read-only project, full disk) costs time, nothing else.
    const { code } = error as NodeJS.ErrnoException
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR'].includes(code ?? '')) throw error
  }
}
