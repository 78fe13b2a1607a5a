import { sdkError } from './errors.ts'

/** Reads a body. Stops at the limit, whatever the header says of the length. Throws `sdk_body_too_large`. */
export async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = (): Error =>
    sdkError('sdk_body_too_large', `The body is larger than ${limit} bytes. Send less at once.`)
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > limit) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
