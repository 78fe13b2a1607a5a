/**
 * Both ends of a transfer. What a flow holds is bounded content; what is larger goes from and to files below the
 * connection's `local_root`, which the connectors of file servers share with the file connector's rules.
 */
import { Readable } from 'node:stream'
import { z } from 'zod'
import { streamFile, writeWhole } from '../file/operations.ts'
import { RootedFolder } from '../file/rooted-folder.ts'
import { bytesOf, collect, contentInput, contentOf, contentOutput, encodingInput, maxBytesInput } from './content.ts'

export const localRootSetting = z
  .string()
  .default('./files')
  .describe('Folder inside the project folder for `file` and `to_file`; by the rules of the `file` connector.')

/** What a put takes beside its target: exactly one of the two, see `oneSource`. */
export const sourceInput = {
  content: contentInput.optional(),
  file: z.string().min(1).optional().describe('Local file below `local_root` instead of `content`; of any size.'),
}

export const oneSource = ({ content, file }: { readonly content?: unknown; readonly file?: unknown }): boolean =>
  (content === undefined) !== (file === undefined)
export const NEED_ONE_SOURCE = 'needs `content` or `file`, and not both'

/** What a get takes beside its source. */
export const targetInput = {
  encoding: encodingInput,
  max_bytes: maxBytesInput,
  to_file: z
    .string()
    .min(1)
    .optional()
    .describe('Writes to this local file below `local_root` instead of answering `content`; of any size.'),
}

export const receivedOutput = {
  content: contentOutput.describe('Text, or `{ base64 }` with `encoding: base64`; empty text with `to_file`.'),
  file: z.string().nullable().describe('Path below `local_root` that was written; null without `to_file`.'),
  size: z.int().describe('Bytes.'),
}

export interface Received {
  readonly content: z.output<typeof contentOutput>
  readonly file: string | null
  readonly size: number
}

/** The local folder of a connection, made when it is first used. */
export class LocalFolder {
  readonly #open: () => Promise<RootedFolder>
  #opened: Promise<RootedFolder> | null = null

  constructor(options: { readonly directory: string; readonly root: string; readonly connection: string }) {
    this.#open = () => RootedFolder.open({ ...options, setting: 'local_root', create: true })
  }

  get(): Promise<RootedFolder> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = null
      throw error
    })
    return this.#opened
  }
}

export interface Source {
  readonly content?: z.output<typeof contentInput> | undefined
  readonly file?: string | undefined
}

/** Gives the source as one stream, and its size, to `use`. */
export async function withSource<Result>(
  source: Source,
  local: LocalFolder,
  use: (stream: Readable, size: number) => Promise<Result>,
): Promise<Result> {
  if (source.file === undefined) {
    const bytes = bytesOf(source.content ?? '')
    return use(Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false }), bytes.length)
  }
  return streamFile(await local.get(), source.file, use)
}

export interface Target {
  readonly encoding: 'utf-8' | 'base64'
  readonly max_bytes: number
  readonly to_file?: string | undefined
}

/** Takes a stream as the step wants it: as content up to its bound, or into a local file. */
export async function receive(
  stream: AsyncIterable<Uint8Array>,
  target: Target,
  options: { readonly local: LocalFolder; readonly what: string; readonly signal: AbortSignal },
): Promise<Received> {
  const { local, what, signal } = options
  if (target.to_file === undefined) {
    const bytes = await collect(stream, { maxBytes: target.max_bytes, what, signal })
    return { content: contentOf(bytes, target.encoding, what), file: null, size: bytes.length }
  }
  const { path, size } = await writeWhole(await local.get(), target.to_file, stream, { mode: 'replace', signal })
  return { content: '', file: path, size }
}
