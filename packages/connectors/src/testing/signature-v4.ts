/**
 * Checks AWS Signature Version 4 of a request as it arrived, by the published algorithm
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html). s3rver takes any signature of that version.
 */
import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** Null for a valid signature or none; else the code of the error that S3 answers. */
export function checkSignature(request: IncomingMessage, secrets: ReadonlyMap<string, string>): string | null {
  const [path = '', search = ''] = (request.url ?? '').split('?')
  const pairs = search === '' ? [] : search.split('&').map((pair) => (pair.includes('=') ? pair : `${pair}=`))
  const query = new URLSearchParams(search)
  const { authorization } = request.headers
  const presigned = query.has('X-Amz-Signature')
  if (!presigned && authorization === undefined) return null
  const fields = presigned
    ? Object.fromEntries([...query].map(([name, value]) => [name.replace('X-Amz-', ''), value]))
    : Object.fromEntries([...authorization!.matchAll(/(\w+)=([^,\s]+)/g)].map(([, name, value]) => [name!, value!]))
  const [id = '', day = '', region = '', service = ''] = (fields['Credential'] ?? '').split('/')
  const secret = secrets.get(id)
  if (secret === undefined) return 'InvalidAccessKeyId'
  const date = presigned ? fields['Date']! : String(request.headers['x-amz-date'])
  const signed = fields['SignedHeaders']!.split(';')
  const canonical = [
    request.method,
    path,
    pairs
      .filter((pair) => !pair.startsWith('X-Amz-Signature='))
      .toSorted()
      .join('&'),
    ...signed.map((name) => `${name}:${String(request.headers[name]).trim()}`),
    '',
    signed.join(';'),
    presigned ? 'UNSIGNED-PAYLOAD' : String(request.headers['x-amz-content-sha256']),
  ].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`)
  const scope = `${day}/${region}/${service}/aws4_request`
  const expected = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex')
  if (expected !== fields['Signature']) return 'SignatureDoesNotMatch'
  if (presigned) {
    const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
    if (Date.now() > at + Number(fields['Expires']) * 1_000) return 'AccessDenied'
  }
  return null
}
