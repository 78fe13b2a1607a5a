/** A plug on the service of the tests. */
import type { OAuth2Auth } from '@plugwork/core/node'
import { connectorFactory, type ConnectorOptions } from '../connectable.ts'
import { createPlugwork } from '../create-plugwork.ts'
import type { PlugworkOptions } from '../options.ts'
import { notesConnector, type NotesServer } from './notes.ts'

export const RING = `k1:${Buffer.alloc(32, 7).toString('base64')}`
export const BASE_URL = 'http://localhost:3000'

export interface PlugOptions extends Partial<Omit<PlugworkOptions<readonly []>, 'connectors'>> {
  readonly oauth?: OAuth2Auth
  readonly client?: ConnectorOptions
}

/** Whoever sends `x-user` is signed in as that user, of the tenant in `x-tenant`. */
export function plugOn(server: NotesServer, { oauth, client, ...options }: PlugOptions = {}) {
  const notes = connectorFactory(notesConnector(server.baseUrl, oauth))
  return createPlugwork({
    database: 'memory:',
    encryptionKey: RING,
    baseUrl: BASE_URL,
    basePath: '/api/plugwork',
    auth: {
      authenticate({ headers }) {
        const userId = headers.get('x-user')
        const tenantId = headers.get('x-tenant')
        return userId === null ? null : { userId, ...(tenantId === null ? {} : { tenantId }) }
      },
    },
    connectors: [notes(client)],
    egress: { allow: ['127.0.0.1'] },
    log: () => undefined,
    ...options,
  })
}

export type TestPlug = ReturnType<typeof plugOn>
