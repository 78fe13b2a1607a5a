/** Text as bytes (UTF-8) and bytes as text. Written out here because pure code has neither `Buffer` nor `TextDecoder`. */

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const URL_SAFE = STANDARD.replace('+/', '-_')

export function toBase64(bytes: Uint8Array, form: 'standard' | 'url'): string {
  const alphabet = form === 'url' ? URL_SAFE : STANDARD
  const pieces: string[] = []
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const bits = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    const digit = (shift: number): string => alphabet.charAt((bits >> shift) & 63)
    const padding = form === 'url' ? '' : '='
    pieces.push(digit(18) + digit(12) + (left > 1 ? digit(6) : padding) + (left > 2 ? digit(0) : padding))
  }
  return pieces.join('')
}

/** The bytes of Base64 in either alphabet, with or without padding; undefined when it is none. */
export function fromBase64(text: string): Uint8Array | undefined {
  const digits = text.replaceAll(/[\r\n]/g, '').replace(/={1,2}$/, '')
  if (digits.length % 4 === 1 || !/^[A-Za-z0-9+/_-]*$/.test(digits)) return undefined
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4))
  let [bits, count, at] = [0, 0, 0]
  for (let i = 0; i < digits.length; i++) {
    const char = digits.charAt(i)
    const value = char === '-' ? 62 : char === '_' ? 63 : STANDARD.indexOf(char)
    bits = ((bits << 6) | value) & 0xffffff
    count += 6
    if (count >= 8) {
      count -= 8
      bytes[at++] = (bits >> count) & 255
    }
  }
  return bytes
}

export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 === 1 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(i * 2, i * 2 + 2), 16))
}

/** The text of UTF-8 bytes; undefined when they are none. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  const pieces: string[] = []
  for (let i = 0; i < bytes.length;) {
    const length = sequenceLength(bytes[i] ?? 0)
    let point = length === 1 ? (bytes[i] ?? 0) : (bytes[i] ?? 0) & (0xff >> (length + 1))
    if (length === 0 || i + length > bytes.length) return undefined
    for (let k = 1; k < length; k++) {
      const next = bytes[i + k] ?? 0
      if (next >> 6 !== 2) return undefined
      point = (point << 6) | (next & 63)
    }
    const least = [0, 0, 0x80, 0x800, 0x10000][length] ?? 0
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined
    pieces.push(String.fromCodePoint(point))
    i += length
  }
  return pieces.join('')
}

function sequenceLength(first: number): number {
  if (first < 0x80) return 1
  return first >> 5 === 6 ? 2 : first >> 4 === 14 ? 3 : first >> 3 === 30 ? 4 : 0
}
