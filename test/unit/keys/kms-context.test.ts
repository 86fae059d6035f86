import { describe, expect, it } from 'vitest'
import { encodeDirectoryEntry } from '../../../src/keys/key-directory.ts'
import { hashKmsContext, kmsContextOf } from '../../../src/keys/kms-context.ts'

describe('the KMS context', () => {
  it('hashes the same in whatever order it is built', () => {
    const { app, dek, domain, v } = kmsContextOf('d', 'orders') as Record<string, string>
    const turned = { v, domain, dek, app } as Record<string, string>
    expect(hashKmsContext(turned)).toEqual(hashKmsContext(kmsContextOf('d', 'orders')))
  })

  it('hashes otherwise for another DEK, another domain, and texts that only join the same', () => {
    const hashes = [
      ...[kmsContextOf('d', 'orders'), kmsContextOf('e', 'orders'), kmsContextOf('d', 'order')],
      kmsContextOf('d","domain', 'orders'),
    ].map((context) => Buffer.from(hashKmsContext(context)).toString('hex'))
    expect(new Set(hashes).size).toBe(4)
  })
})

describe('an entry of the key directory', () => {
  it('is one JSON object and a line feed, with the wrapped key in base64url', () => {
    const wrapped = Buffer.from([0xff, 0xfe, 0xfd])
    const texts = { dekId: 'd', keyDomain: 'orders', kekId: 'kek', kekVersion: null }
    const entry = encodeDirectoryEntry({ ...texts, wrapped, createdAtMs: 5 }).toString()
    expect(entry.endsWith('}\n')).toBe(true)
    expect(JSON.parse(entry)).toEqual({ v: 1, ...texts, wrapped: '__79', createdAtMs: 5 })
  })
})
