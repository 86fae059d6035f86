import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Kms, KmsContext } from '../../src/keys/kms.ts'
import { WRAPPED_DEK_BYTES_MAX } from '../../src/limits.ts'

/** A KMS to be tried, and the id of a key in it as it is configured. */
export interface KmsUnderTest {
  readonly kms: Kms
  readonly kekId: string
}

const CONTEXT: KmsContext = { app: 'sealstream', dek: 'd', domain: 'orders', v: '1' }
const refused = expect.objectContaining({ code: 'SEAL_KMS_REFUSED', retryable: false })

/** What every {@link Kms} does. */
export function kmsContract(name: string, open: () => KmsUnderTest | Promise<KmsUnderTest>): void {
  describe(`${name} as a KMS`, () => {
    let kms: Kms
    let kekId: string

    beforeAll(async () => {
      ;({ kms, kekId } = await open())
    })
    afterAll(() => kms.close())

    it('makes data keys of 32 bytes that unwrap to themselves', async () => {
      const made = await kms.generateDataKey(kekId, CONTEXT)
      expect(made.plaintext).toHaveLength(32)
      expect(made.wrapped.length).toBeLessThanOrEqual(WRAPPED_DEK_BYTES_MAX)
      const opened = await kms.unwrap(made.kekId, made.wrapped, CONTEXT)
      expect(Buffer.from(opened).equals(made.plaintext)).toBe(true)
    })

    it('makes another key each time', async () => {
      const [a, b] = [
        await kms.generateDataKey(kekId, CONTEXT),
        await kms.generateDataKey(kekId, CONTEXT),
      ]
      expect(Buffer.from(a.plaintext).equals(b.plaintext)).toBe(false)
      expect(Buffer.from(a.wrapped).equals(b.wrapped)).toBe(false)
    })

    it('names the key in full, and unwraps under the short name too', async () => {
      const made = await kms.generateDataKey(kekId, CONTEXT)
      expect(made.kekId).toMatch(/^arn:.*:key\//)
      expect(made.kekId.endsWith(kekId)).toBe(true)
      const opened = await kms.unwrap(kekId, made.wrapped, CONTEXT)
      expect(Buffer.from(opened).equals(made.plaintext)).toBe(true)
    })

    it('gives buffers that are the caller’s: wiping one harms no other', async () => {
      const made = await kms.generateDataKey(kekId, CONTEXT)
      const first = await kms.unwrap(made.kekId, made.wrapped, CONTEXT)
      first.fill(0)
      const second = await kms.unwrap(made.kekId, made.wrapped, CONTEXT)
      expect(Buffer.from(second).equals(made.plaintext)).toBe(true)
    })

    it.each([
      ['another DEK', { ...CONTEXT, dek: 'e' }],
      ['another domain', { ...CONTEXT, domain: 'payments' }],
      ['one pair more', { ...CONTEXT, more: '1' }],
      ['no context', {}],
    ])('refuses to unwrap with %s', async (_what, context) => {
      const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      await expect(kms.unwrap(kekId, wrapped, context)).rejects.toEqual(refused)
    })

    it('refuses a wrapped key that was altered', async () => {
      const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      const altered = Buffer.from(wrapped)
      altered.writeUInt8(altered.readUInt8(altered.length - 1) ^ 1, altered.length - 1)
      await expect(kms.unwrap(kekId, altered, CONTEXT)).rejects.toEqual(refused)
    })

    it('refuses a key that it does not hold', async () => {
      const unknown = '00000000-0000-4000-8000-0000000000ff'
      await expect(kms.generateDataKey(unknown, CONTEXT)).rejects.toEqual(refused)
      const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      await expect(kms.unwrap(unknown, wrapped, CONTEXT)).rejects.toEqual(refused)
    })
  })
}
