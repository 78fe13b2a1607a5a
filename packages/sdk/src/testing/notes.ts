/** A service of the tests: keeps notes in memory, wants a key or a token, and tells what it was asked. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  createApiClient,
  defineAction,
  defineConnector,
  path,
  staticCredential,
  type ActionContext,
  type ApiClient,
  type OAuth2Auth,
} from '@plugwork/core/node'
import { z } from 'zod'

export const KEY = 'notes-key-0123456789'

export interface NotesServer {
  readonly baseUrl: string
  /** `Authorization` of every request, in order. */
  readonly seen: string[]
  close(): Promise<void>
}

/** Takes `KEY`, and every bearer token that `accepts` says. */
export async function startNotes(accepts: (token: string) => boolean = () => false): Promise<NotesServer> {
  const notes: { id: number; text: string }[] = []
  const seen: string[] = []
  const server = createServer((request, response) => {
    const authorization = request.headers.authorization ?? ''
    seen.push(authorization)
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const token = authorization.replace(/^Bearer /, '')
    if (token !== KEY && !accepts(token)) return answer(401, { message: 'Bad credentials' })
    if (request.url === '/echo') return answer(200, { authorization })
    if (request.method === 'GET') {
      const from = Number(new URL(request.url!, 'http://notes').searchParams.get('from') ?? 0)
      return answer(200, { items: notes.slice(from, from + 2), next: from + 2 < notes.length ? from + 2 : null })
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { text } = JSON.parse(Buffer.concat(chunks).toString()) as { text: string }
      notes.push({ id: notes.length + 1, text })
      answer(201, notes.at(-1))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

const note = z.object({ id: z.int(), text: z.string() })
type Context = ActionContext<ApiClient>

/** The connector of the notes at `baseUrl`; with OAuth data people can sign in. */
export function notesConnector(baseUrl: string, oauth?: OAuth2Auth) {
  const key = {
    kind: 'bearer',
    title: 'Key',
    help: 'Ask the tests.',
    fields: ['key'],
  } as const
  return defineConnector({
    name: 'notes',
    title: 'Notes',
    description: 'Notes of the tests.',
    version: '1.0.0',
    prefixes: ['notes'],
    config: z.strictObject({ key: z.string().meta({ 'x-plugwork': 'secret' }).optional() }),
    auth: oauth === undefined ? { key } : { oauth, key },
    connect: async ({ key: given }, { egress, credentials }) =>
      createApiClient({
        service: 'notes',
        title: 'Notes',
        baseUrl,
        egress,
        auth: { key },
        credentials: credentials ?? staticCredential('key', given!),
      }),
    async test(client, { signal }) {
      await client.read(z.object({ items: z.array(note) }), { path: path`/`, signal })
      return { message: 'Notes are there.' }
    },
    actions: {
      'items.create': defineAction({
        description: 'Keeps a note.',
        input: z.strictObject({ text: z.string().min(1) }),
        output: note,
        effect: 'write',
        idempotency: 'none',
        run: async ({ client, signal }: Context, json) =>
          (await client.read(note, { method: 'POST', path: path`/`, json, signal })).data,
      }),
      'items.list': defineAction({
        description: 'Lists notes.',
        input: z.strictObject({ from: z.int().optional() }),
        output: z.object({ items: z.array(note), next: z.int().nullable() }),
        effect: 'read',
        idempotency: 'natural',
        pages: {
          items: 'items',
          next: (input, output) => (output.next === null ? null : { ...input, from: output.next }),
        },
        run: async ({ client, signal }: Context, query) =>
          (
            await client.read(z.object({ items: z.array(note), next: z.int().nullable() }), {
              path: path`/`,
              query,
              signal,
            })
          ).data,
      }),
      echo: defineAction({
        description: 'Answers what the service was sent, its secret included.',
        input: z.strictObject({}),
        output: z.object({ authorization: z.string() }),
        effect: 'read',
        idempotency: 'natural',
        run: async ({ client, signal }: Context) =>
          (await client.read(z.object({ authorization: z.string() }), { path: path`/echo`, signal })).data,
      }),
      add: defineAction({
        description: 'Adds, without a connection.',
        input: z.strictObject({ a: z.number(), b: z.number() }),
        output: z.object({ sum: z.number() }),
        effect: 'read',
        idempotency: 'natural',
        connectionOptional: true,
        run: async (_: ActionContext<ApiClient | undefined>, { a, b }) => ({ sum: a + b }),
      }),
    },
    scaffold: ({ name }) => `  ${name}:\n    type: notes\n    key: "\${secrets.NOTES_KEY}"\n`,
    example: ({ name }) => ({
      fileName: 'notes.flow.yaml',
      source: `flow: Notes\nconnections:\n  ${name}: { type: notes, key: "\${secrets.NOTES_KEY}" }\nsteps:\n  - notes.items.create: { connection: ${name}, text: Hello }\n`,
    }),
  })
}
