import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { SecretBytes } from '../../../src/crypto/secret-bytes.ts'
import { decodeHeader } from '../../../src/format/segment-header.ts'
import { Dek } from '../../../src/keys/dek.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { KEK_ID, makeDek } from '../../support/sealed-segment.ts'

const SEGMENT_ID = '5ea15eed-0000-4000-8000-0000000000e1'
const record = {
  dekId: '5ea15eed-0000-4000-8000-0000000000d1',
  keyDomain: 'orders',
  kekId: 'kek',
  kekVersion: null,
  wrapped: Buffer.from('wrapped'),
  createdAtMs: 0,
}

describe('a DEK', () => {
  it('wipes the plaintext that it was made of', () => {
    const plaintext = Buffer.alloc(32, 7)
    new Dek(record, plaintext)
    expect(plaintext.every((byte) => byte === 0)).toBe(true)
  })

  it('refuses, and wipes, a key of another length', () => {
    const plaintext = Buffer.alloc(16, 7)
    expect(() => new Dek(record, plaintext)).toThrow(
      expect.objectContaining({ code: 'SEAL_KMS_REFUSED' }),
    )
    expect(plaintext.every((byte) => byte === 0)).toBe(true)
  })

  it('shows no key byte in any form in which it can be printed', () => {
    const secret = Buffer.from('a very secret data key, 32 bytes')
    const dek = new Dek(record, Buffer.from(secret))
    const options = { showHidden: true, depth: 9, getters: true }
    const forms = [
      ...[
        inspect(dek),
        inspect({ dek }, options),
        inspect(dek, { ...options, customInspect: false }),
      ],
      ...[
        JSON.stringify(dek),
        String(dek),
        `${inspect(Object.getOwnPropertyDescriptors(dek), options)}`,
      ],
    ]
    for (const form of forms) {
      for (const encoding of ['latin1', 'hex', 'base64', 'base64url'] as const) {
        expect(form).not.toContain(secret.toString(encoding).slice(0, 8))
      }
      expect(form).not.toContain(secret.subarray(0, 4).join(','))
    }
    expect(inspect(dek)).toBe(`Dek(${record.dekId})`)
  })

  it('opens the segments that it made, and no others', () => {
    const dek = new Dek(record, Buffer.alloc(32, 7))
    const other = new Dek(record, Buffer.alloc(32, 8))
    const made = dek.newSegment(SEGMENT_ID, 0)
    const header = decodeHeader(made.header)
    const hexOf = (key: SecretBytes) => key.reveal((bytes) => Buffer.from(bytes).toString('hex'))
    expect(hexOf(dek.openSegment(header).frameKey)).toBe(hexOf(made.frameKey))
    expect(dek.openSegment(header).baseNonce).toEqual(made.baseNonce)
    expect(() => other.openSegment(header)).toThrow(mismatch)
  })

  it('refuses a header that names another context, whatever the key', () => {
    const dek = new Dek(record, Buffer.alloc(32, 7))
    const sameKey = new Dek({ ...record, keyDomain: 'payments' }, Buffer.alloc(32, 7))
    const header = decodeHeader(dek.newSegment(SEGMENT_ID, 0).header)
    expect(() => sameKey.openSegment(header)).toThrow(mismatch)
  })

  it('lives until its last holder lets go, and throws when used afterwards', () => {
    const dek = new Dek(record, Buffer.alloc(32, 7))
    dek.retain()
    dek.release()
    expect(dek.newSegment(SEGMENT_ID, 0).header).toHaveLength(160)
    dek.release()
    expect(() => dek.newSegment(SEGMENT_ID, 0)).toThrow('used after its release')
    expect(() => dek.retain()).toThrow('used after its release')
    expect(inspect(dek)).toBe(`Dek(${record.dekId}, destroyed)`)
    dek.release()
  })
})

describe('createDek', () => {
  it('records the wrapped key before it gives the DEK out', async () => {
    const kms = new FakeKms(KEK_ID)
    const dek = await makeDek(kms, 'orders', [])
    const records: unknown[] = []
    const second = await makeDek(kms, 'orders', records as never)
    expect(records).toEqual([second.record])
    expect(second.record.dekId).not.toBe(dek.record.dekId)
    expect(second.record).toMatchObject({
      keyDomain: 'orders',
      kekId: expect.stringContaining(`:key/${KEK_ID}`),
      kekVersion: '1',
    })
    expect(kms.handedOut.every((key) => key.every((byte) => byte === 0))).toBe(true)
  })

  it('wipes the key and gives none out when the record cannot be written', async () => {
    const kms = new FakeKms(KEK_ID)
    const records = {
      push: () => {
        throw new Error('no store')
      },
    }
    await expect(makeDek(kms, 'orders', records as never)).rejects.toThrow('no store')
    expect(kms.handedOut[0]?.every((byte) => byte === 0)).toBe(true)
  })
})

const mismatch = expect.objectContaining({ code: 'SEAL_COMMITMENT_MISMATCH' })
