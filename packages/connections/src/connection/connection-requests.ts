/** What the calls of `Connections` take and give. */
import type { JsonObject } from '@plugwork/core'
import type { Connector, CredentialSource } from '@plugwork/core/node'
import type { TokenSet } from '../oauth/token-set.ts'
import type { Actor } from './access.ts'
import type { Connection } from './connection.ts'
import type { ConnectionFields } from './connection-input.ts'

export interface CreateConnection extends ConnectionFields {
  readonly actor: Actor
  /** Default: the actor. Null: the tenant. */
  readonly owner?: string | null
  readonly connector: string
  /** Default: `default`. */
  readonly name?: string
  readonly metadata?: JsonObject
  /** What a sign-in has given. */
  readonly tokens?: TokenSet
}

export interface FindConnection {
  readonly actor: Actor
  /** Default: the actor. Null: the tenant. */
  readonly owner?: string | null
  readonly connector: string
  /** Default: `default`. */
  readonly name?: string
}

export interface ListConnections {
  readonly actor: Actor
  /** Left out: everybody's whom the actor may see. */
  readonly owner?: string | null
  readonly connector?: string
  readonly name?: string
  readonly after?: string
  /** Default 100. */
  readonly limit?: number
}

export interface UpdateConnection {
  readonly name?: string
  readonly settings?: JsonObject
  readonly credential?: JsonObject
  readonly metadata?: JsonObject
}

export interface ReconnectConnection extends ConnectionFields {
  readonly tokens?: TokenSet
}

/** What a connector is connected with. */
export interface OpenConnection {
  readonly connection: Connection
  readonly connector: Connector
  /** Secrets included; unset where `credentials` takes their place. */
  readonly config: JsonObject
  readonly credentials?: CredentialSource
}
