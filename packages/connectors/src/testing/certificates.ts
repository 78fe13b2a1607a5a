/** A certificate authority and a server's certificate of its own, for tests of TLS. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificates {
  /** PEM. */
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

/** Valid for a day, for 127.0.0.1 and these names. */
export function makeCertificates(names: readonly string[] = ['localhost']): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'plugwork-certificates-'))
  const at = (name: string): string => join(folder, name)
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { stdio: 'pipe', cwd: folder })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  try {
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '1',
      '-subj',
      '/CN=Plugwork Test CA',
    )
    openssl('req', ...newKey, '-keyout', 'key.pem', '-out', 'request.pem', '-subj', `/CN=${names[0] ?? 'localhost'}`)
    writeFileSync(at('names'), `subjectAltName=IP:127.0.0.1${names.map((name) => `,DNS:${name}`).join('')}\n`)
    const sign = [
      'x509',
      '-req',
      '-in',
      'request.pem',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '1',
    ]
    openssl(...sign, '-out', 'certificate.pem', '-extfile', 'names')
    const read = (name: string): string => readFileSync(at(name), 'utf8')
    return { ca: read('ca.pem'), certificate: read('certificate.pem'), key: read('key.pem') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
