/**
 * An S3 server for tests: s3rver, with signatures checked in front of it. What s3rver cannot do on a current Node (it
 * makes continuation tokens with DES) is not covered by it: pages are tested against answers from Amazon's documentation.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from 's3rver'
import { checkSignature } from './signature-v4.ts'

export interface S3Server {
  readonly endpoint: string
  close(): Promise<void>
}

/** Listens on a free port; the key `S3RVER` has the secret `S3RVER`. */
export async function startS3(buckets: readonly string[]): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), 'plugwork-s3-data-'))
  const s3rver = new S3rver({ silent: true, directory, configureBuckets: buckets.map((name) => ({ name })) })
  await s3rver.configureBuckets()
  const handle = s3rver.callback()
  const secrets = new Map([['S3RVER', 'S3RVER']])
  const server = createServer((request, response) => {
    const code = checkSignature(request, secrets)
    if (code === null) return void handle(request, response)
    request.resume()
    response.writeHead(403, { 'content-type': 'application/xml' })
    response.end(
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>Refused in front of s3rver.</Message></Error>`,
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
