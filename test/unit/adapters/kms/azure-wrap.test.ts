import { describe, expect, it } from 'vitest'
import { decodeAzureWrap, encodeAzureWrap } from '../../../../src/adapters/kms/azure-wrap.ts'

const version = '0123456789abcdef0123456789abcdef'
const gcm = { iv: Buffer.alloc(12, 1), tag: Buffer.alloc(16, 2) }
const byRsa = { version, ciphertext: Buffer.alloc(256, 3), gcm: null }
const byAes = { version, ciphertext: Buffer.alloc(32, 4), gcm }

describe('a wrap of Azure', () => {
  it.each([
    ['RSA-OAEP-256', byRsa, 290],
    ['A256GCM', byAes, 94],
  ])('by %s comes back as it was', (_algorithm, wrap, length) => {
    const bytes = encodeAzureWrap(wrap) ?? Buffer.alloc(0)
    expect(bytes).toHaveLength(length)
    expect(decodeAzureWrap(bytes)).toEqual(wrap)
  })

  it.each([
    ['nothing', []],
    ['an algorithm that there is not', [3, 1, 0x61, 9]],
    ['no version', [1, 0, 9]],
    ['a version that ends too early', [1, 9, 0x61]],
    ['a version that is a path', [1, 2, 0x2e, 0x2e, 9]],
    ['a version with a slash', [1, 3, 0x61, 0x2f, 0x62, 9]],
    ['no ciphertext', [1, 1, 0x61]],
    ['iv and tag alone', [2, 1, 0x61, ...gcm.iv, ...gcm.tag]],
  ])('is none with %s', (_what, bytes) => {
    expect(decodeAzureWrap(Uint8Array.from(bytes))).toBeNull()
  })

  it.each([
    ['an iv of 16 bytes', { ...byAes, gcm: { ...gcm, iv: Buffer.alloc(16) } }],
    ['a tag of 12 bytes', { ...byAes, gcm: { ...gcm, tag: Buffer.alloc(12) } }],
    ['no ciphertext', { ...byRsa, ciphertext: Buffer.alloc(0) }],
  ])('is not made of %s', (_what, wrap) => {
    expect(encodeAzureWrap(wrap)).toBeNull()
  })
})
