/**
 * Certificates that services name in their requests, fetched through the egress and kept. Where one may lie is the scheme's
 * to say: whoever can name any address could name a certificate of their own.
 */
import { X509Certificate, type KeyObject } from 'node:crypto'
import type { Clock, Egress } from '@plugwork/core/node'
import { webhookError } from './errors.ts'

/** Gives the public key of a certificate; throws `webhook_certificate_unavailable`. */
export type CertificateSource = (url: string) => Promise<KeyObject>

export interface CertificatesOptions {
  readonly egress: Egress
  readonly clock: Clock
}

/** How long a certificate is used before it is fetched again, and how many are kept. */
const KEEP_MS = 24 * 60 * 60_000
const KEEP_COUNT = 100
const MAX_BYTES = 64 * 1024
const TIMEOUT_MS = 10_000

interface Kept {
  readonly certificate: Promise<X509Certificate>
  readonly until: number
}

/** Keeps certificates for a day, by their address; one that could not be had is asked for again. */
export function createCertificates({ egress, clock }: CertificatesOptions): CertificateSource {
  const kept = new Map<string, Kept>()
  return async (url) => {
    const now = clock.now()
    let entry = kept.get(url)
    if (entry === undefined || entry.until <= now) {
      if (kept.size >= KEEP_COUNT) kept.clear()
      entry = { certificate: fetchCertificate(egress, url), until: now + KEEP_MS }
      kept.set(url, entry)
    }
    let certificate: X509Certificate
    try {
      certificate = await entry.certificate
    } catch (cause) {
      kept.delete(url)
      throw webhookError('webhook_certificate_unavailable', `The certificate at ${url} could not be read.`, { cause })
    }
    if (now < certificate.validFromDate.getTime() || now > certificate.validToDate.getTime()) {
      kept.delete(url)
      throw webhookError('webhook_certificate_unavailable', `The certificate at ${url} is not valid at this time.`)
    }
    return certificate.publicKey
  }
}

async function fetchCertificate(egress: Egress, url: string): Promise<X509Certificate> {
  const answer = await egress.request({
    method: 'GET',
    url,
    redirect: 'manual',
    maxResponseBytes: MAX_BYTES,
    timeoutMs: TIMEOUT_MS,
  })
  if (answer.status !== 200) throw new Error(`it answered ${answer.status}`)
  return new X509Certificate(answer.body)
}
