import { describe, expect, it } from 'vitest'
import { crc32c } from '../../../../src/adapters/kms/crc32c.ts'

describe('CRC-32C', () => {
  it.each([
    ['32 zero bytes (RFC 3720, B.4)', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of ones (RFC 3720, B.4)', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0 to 31 (RFC 3720, B.4)', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    ['the check value of the catalogue', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
  ])('of %s', (_what, bytes, sum) => {
    expect(crc32c(bytes)).toBe(sum)
  })
})
