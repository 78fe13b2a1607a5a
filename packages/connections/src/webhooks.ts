/** `@plugwork/connections/webhooks`: signatures of services' webhooks. Light: no OAuth, no store. */
export { signatureBytes, type SignedRequest, type SignatureScheme } from './webhook/signature-scheme.ts'
export { SIGNATURE_SCHEMES } from './webhook/signature-schemes.ts'
export { sameBytes, verifySignature, type Verdict } from './webhook/verify-signature.ts'
