/** `@plugwork/connections/webhooks`: signatures of services' webhooks. Light: no OAuth, no store. */
export { createAttemptLimit, type AttemptLimit } from './webhook/attempt-limit.ts'
export { createCertificates, type CertificateSource } from './webhook/certificates.ts'
export { ERRORS as WEBHOOK_ERRORS } from './webhook/errors.ts'
export { signatureBytes, type SignedRequest, type SignatureScheme } from './webhook/signature-scheme.ts'
export { SIGNATURE_SCHEMES } from './webhook/signature-schemes.ts'
export { judgeSignedTime, sameBytes, verifySignature, type Verdict } from './webhook/verify-signature.ts'
