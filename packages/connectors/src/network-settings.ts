/** Settings that the connectors of key-value and document servers share: durations, TLS, host and port. */
import { parseDuration } from '@plugwork/core'
import { z } from 'zod'

/** A duration in a config or an input: `5s`, or a number of seconds; above nothing and at most `max`. */
export function durationSetting(max: string): z.ZodType<string | number> {
  const limit = parseDuration(max) ?? 0
  return z.union([z.number().positive(), z.string()]).refine((value) => {
    const ms = parseDuration(value)
    return ms !== null && ms > 0 && ms <= limit
  }, `must be a duration of at most ${max}, such as 5s, or a number of seconds`)
}

/** Milliseconds of a duration that its schema has accepted. */
export const milliseconds = (duration: string | number): number => parseDuration(duration) ?? 0

/** `true`, or what a server with a certificate of its own needs. */
export const tlsSetting = z.union([
  z.boolean(),
  z.strictObject({
    ca: z.string().min(1).optional().describe('Certificate authority that signed the server, in PEM.'),
    cert: z.string().min(1).optional().describe('Certificate of the client, in PEM.'),
    key: z.string().min(1).optional().describe('Private key of the client, in PEM.').meta({ 'x-plugwork': 'secret' }),
    server_name: z.string().min(1).optional().describe('Name in the certificate, where it is not the host.'),
  }),
])

export type TlsSetting = z.output<typeof tlsSetting>

export const hostSetting = z.string().min(1).optional()
export const portSetting = z.int().min(1).max(65_535).optional()

/** Any JSON value. It is JSON already, from the run or from the server: walking it again would only cost time. */
export const json = <Value>(): z.ZodType<Value> => z.unknown() as unknown as z.ZodType<Value>
