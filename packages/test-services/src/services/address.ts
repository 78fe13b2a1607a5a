import { randomBytes } from 'node:crypto'

/** What every service answers of where it is. */
export interface ServiceAddress {
  readonly url: string
  readonly host: string
  readonly port: number
}

export function addressOf(url: URL): ServiceAddress {
  return { url: url.href, host: url.hostname, port: Number(url.port) }
}

/** A name that nobody else has: letters, digits and underscores, starting with a letter. */
export function freshName(): string {
  return `t_${randomBytes(8).toString('hex')}`
}
