import { createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hkdfSha512 } from '../../../src/crypto/hkdf.ts'
import { hmac } from '../../../src/crypto/hmac.ts'

describe('HMAC of one-shot hashes', () => {
  const lengths = [0, 1, 32, 63, 64, 65, 127, 128, 129, 300]

  it.each(['sha512', 'sha512-256'] as const)('agrees with node:crypto, %s', (algorithm) => {
    for (const keyBytes of lengths) {
      for (const messageBytes of [...lengths, 100_000]) {
        const [key, message] = [randomBytes(keyBytes), randomBytes(messageBytes)]
        const expected = createHmac(algorithm, key).update(message).digest()
        const at = Math.floor(messageBytes / 3)
        const parts = [message.subarray(0, at), message.subarray(at)]
        expect(Buffer.from(hmac(algorithm, key, ...parts)).equals(expected)).toBe(true)
      }
    }
  })

  it('leaves key and parts as they are', () => {
    const [key, part] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
    hmac('sha512', key, part)
    expect([key, part]).toEqual([Buffer.alloc(32, 1), Buffer.alloc(32, 2)])
  })
})

describe('HKDF-SHA512', () => {
  it.each([1, 63, 64, 65, 108, 255 * 64])('agrees with node:crypto for %i bytes', (bytes) => {
    const [ikm, salt, info] = [randomBytes(32), randomBytes(32), randomBytes(150)]
    const expected = Buffer.from(hkdfSync('sha512', ikm, salt, info, bytes))
    expect(Buffer.from(hkdfSha512(ikm, salt, info, bytes)).equals(expected)).toBe(true)
  })

  it('refuses more than 255 blocks', () => {
    const none = new Uint8Array(0)
    expect(() => hkdfSha512(none, none, none, 255 * 64 + 1)).toThrow('too much output')
  })
})
