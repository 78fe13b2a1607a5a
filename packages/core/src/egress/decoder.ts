/** Content decoding of a response, by what its `content-encoding` says. */
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw, createZstdDecompress } from 'node:zlib'

export type Coding = 'gzip' | 'deflate' | 'br' | 'zstd'

/**
 * The coding of a response body; null where nothing is to be decoded (none, `identity`, or one we do not know, whose
 * bytes are handed on as they are). `nested` for several codings, which only bombs use.
 */
export function codingOf(header: string | string[] | undefined): Coding | 'nested' | null {
  if (header === undefined) return null
  const codings = String(header)
    .toLowerCase()
    .split(',')
    .map((name) => name.trim().replace(/^x-/, ''))
    .filter((name) => name !== '' && name !== 'identity')
  if (codings.length > 1) return 'nested'
  const [coding] = codings
  return coding === 'gzip' || coding === 'deflate' || coding === 'br' || coding === 'zstd' ? coding : null
}

/** A stream that decodes. `first` are the first bytes: servers send `deflate` with and without the zlib wrapper. */
export function createDecoder(coding: Coding, first: Uint8Array): Transform {
  switch (coding) {
    case 'gzip':
      return createGunzip()
    case 'br':
      return createBrotliDecompress()
    case 'zstd':
      return createZstdDecompress()
    case 'deflate':
      return (first[0]! & 0x0f) === 8 ? createInflate() : createInflateRaw()
  }
}
