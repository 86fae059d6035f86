import { hash } from 'node:crypto'

/** Block and output sizes of the hashes, in bytes (FIPS 180-4). Both are names that node:crypto knows. */
const HASHES = {
  sha256: { blockBytes: 64, outputBytes: 32 },
  sha512: { blockBytes: 128, outputBytes: 64 },
  'sha512-256': { blockBytes: 128, outputBytes: 32 },
} as const

/** The hashes that HMAC is made of here. */
export type HmacHash = keyof typeof HASHES

const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

/**
 * HMAC (RFC 2104, FIPS 198-1) of `parts` behind one another; the result is the caller's, who wipes it
 * where it is a key. Made of one-shot hashes, because the Hmac of node:crypto keeps a keyed context
 * until the garbage collector comes by: here everything that the key went into is zeroed, or
 * cleansed by OpenSSL, before the call returns. Copies the parts, so give it no large ones.
 */
export function hmac(algorithm: HmacHash, key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const { blockBytes, outputBytes } = HASHES[algorithm]
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  // Memory of its own: smaller arrays may lie on the JavaScript heap, where the collector copies them.
  const message = new Uint8Array(new ArrayBuffer(blockBytes + Math.max(bytes, outputBytes)))
  const block = key.length <= blockBytes ? key : hash(algorithm, key, 'buffer')
  try {
    pad(message, blockBytes, block, INNER_PAD)
    let at = blockBytes
    for (const part of parts) {
      message.set(part, at)
      at += part.length
    }
    const inner = hash(algorithm, message.subarray(0, at), 'buffer')
    pad(message, blockBytes, block, OUTER_PAD)
    message.set(inner, blockBytes)
    inner.fill(0)
    return hash(algorithm, message.subarray(0, blockBytes + outputBytes), 'buffer')
  } finally {
    message.fill(0)
    if (block !== key) block.fill(0)
  }
}

/** Writes `block`, filled up with zeros and XORed with `by`, over the first block of `message`. */
function pad(message: Uint8Array, blockBytes: number, block: Uint8Array, by: number): void {
  message.fill(by, 0, blockBytes)
  for (let i = 0; i < block.length; i++) {
    message[i] = (block[i] as number) ^ by
  }
}
