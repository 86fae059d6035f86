import { describe, expect, test } from 'vitest'
import { decodeDirectoryEntry, encodeDirectoryEntry } from '../../../src/keys/key-directory.ts'

const record = {
  dekId: '5ea15eed-0000-4000-8000-00000000000a',
  keyDomain: 'orders ☃',
  kekId: 'arn:aws:kms:us-east-1:000000000000:key/1',
  kekVersion: null,
  wrapped: Buffer.from([0, 255, 3]),
  createdAtMs: 1_767_000_000_000,
}

describe('an entry of the key directory', () => {
  test('reads back as it was written', () => {
    expect(decodeDirectoryEntry(encodeDirectoryEntry(record))).toEqual(record)
    const versioned = { ...record, kekVersion: '7' }
    expect(decodeDirectoryEntry(encodeDirectoryEntry(versioned))).toEqual(versioned)
  })

  test.each([
    ['nothing', ''],
    ['no JSON', 'wrapped'],
    ['no object', 'null'],
    ['another version', JSON.stringify({ ...entry(), v: 2 })],
    ['a field too few', JSON.stringify({ ...entry(), wrapped: undefined })],
    ['a field of another type', JSON.stringify({ ...entry(), createdAtMs: '5' })],
  ])('is refused when it is %s', (_what, text) => {
    expect(() => decodeDirectoryEntry(Buffer.from(text))).toThrowError(
      expect.objectContaining({ code: 'SEAL_MALFORMED' }),
    )
  })
})

function entry(): object {
  return JSON.parse(encodeDirectoryEntry(record).toString())
}
