/** Content-addressed store for values past the inline limit. Uploaded before the commit that refers to them. */
export interface BlobStore {
  /**
   * Stores bytes durably; returns their SHA-256 in hex. Storing the same bytes twice is one blob, and renews its age: from
   * then on it counts as stored now.
   */
  put(bytes: Uint8Array): Promise<{ readonly hash: string; readonly size: number }>
  /** Throws `blob_missing` when there is none, `blob_corrupt` when the bytes do not match the hash. */
  get(hash: string): Promise<Uint8Array>
  has(hash: string): Promise<boolean>
  /**
   * Deletes a blob; with `storedBefore` (epoch ms) only if it has not been stored (again) at or after that time, decided and
   * done as one. False when it was left, or was not there.
   */
  delete(hash: string, storedBefore?: number): Promise<boolean>
  /** Hashes and ages of all blobs, for the collection of orphans. */
  list(): AsyncIterable<{ readonly hash: string; readonly size: number; readonly storedAt: number }>
}

/** Values of up to this many bytes of JSON stay in the row. */
export const INLINE_LIMIT = 64 * 1024
/** No single value may be larger than this; the step fails with `value_too_large`. */
export const VALUE_LIMIT = 32 * 1024 * 1024
