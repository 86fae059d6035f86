import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isSameKek } from '../../src/keys/kek-name.ts'
import type { Kms, KmsContext } from '../../src/keys/kms.ts'
import { WRAPPED_DEK_BYTES_MAX } from '../../src/limits.ts'

/** A KMS to be tried, and what the suite may do to the service behind it. */
export interface KmsUnderTest {
  readonly kms: Kms
  /** A KEK in it, by its bare id where the provider has bare ids. */
  readonly kekId: string
  /** Another KEK in it. */
  readonly otherKekId: string
  /** What the full name of a KEK looks like. */
  readonly fullName: RegExp
  /** A KEK id that is well formed and that the service does not hold. */
  readonly unknownKekId: string
  /** Makes a new version of the KEK and resolves when it is in use. */
  rotate(): Promise<void>
  /** Whether answers tell the version of the KEK that wrapped. */
  readonly tellsVersion: boolean
  /** Switches a KEK off; null where the provider has no such state. */
  readonly disable: ((kekId: string) => Promise<void>) | null
  /** The same service with credentials that it does not accept; null where there are none to refuse. */
  readonly denied: (() => Promise<Kms>) | null
  /** The same provider where nothing answers; null where the provider is no server. */
  readonly away: (() => Promise<Kms>) | null
}

const CONTEXT: KmsContext = { app: 'sealstream', dek: 'd', domain: 'orders', v: '1' }
const failing = (code: string, retryable = false) => expect.objectContaining({ code, retryable })
const tampered = failing('SEAL_KEY_TAMPERED')

/** What every {@link Kms} does. Tests run in order: the last ones rotate and switch off keys. */
export function kmsContract(name: string, open: () => KmsUnderTest | Promise<KmsUnderTest>): void {
  describe(`${name} as a KMS`, () => {
    let place: KmsUnderTest
    let kms: Kms
    let kekId: string

    beforeAll(async () => {
      place = await open()
      ;({ kms, kekId } = place)
    })
    afterAll(() => kms?.close())

    const expectOpens = async (
      wrap: { readonly kekId: string; readonly wrapped: Uint8Array },
      plaintext: Uint8Array,
    ) => {
      const opened = await kms.unwrap(wrap.kekId, wrap.wrapped, CONTEXT)
      expect(Buffer.from(opened).equals(plaintext)).toBe(true)
    }

    it('makes data keys of 32 bytes that unwrap to themselves', async () => {
      const made = await kms.generateDataKey(kekId, CONTEXT)
      expect(made.plaintext).toHaveLength(32)
      expect(made.wrapped.length).toBeLessThanOrEqual(WRAPPED_DEK_BYTES_MAX)
      await expectOpens(made, made.plaintext)
    })

    it('makes another key each time, and its wrap does not show it', async () => {
      const [a, b] = [
        await kms.generateDataKey(kekId, CONTEXT),
        await kms.generateDataKey(kekId, CONTEXT),
      ]
      expect(Buffer.from(a.plaintext).equals(b.plaintext)).toBe(false)
      expect(Buffer.from(a.wrapped).equals(b.wrapped)).toBe(false)
      expect(Buffer.from(a.wrapped).includes(Buffer.from(a.plaintext))).toBe(false)
    })

    it('names the key in full, and unwraps under the short name too', async () => {
      const made = await kms.generateDataKey(kekId, CONTEXT)
      expect(made.kekId).toMatch(place.fullName)
      expect(isSameKek(kekId, made.kekId)).toBe(true)
      await expectOpens({ ...made, kekId }, made.plaintext)
    })

    it('makes keys under the full name too, and names it alike', async () => {
      const { kekId: full } = await kms.generateDataKey(kekId, CONTEXT)
      const made = await kms.generateDataKey(full, CONTEXT)
      expect(made.kekId).toBe(full)
      await expectOpens(made, made.plaintext)
    })

    it('gives buffers that are the caller’s: wiping one harms no other', async () => {
      const made = await kms.generateDataKey(kekId, CONTEXT)
      const first = await kms.unwrap(made.kekId, made.wrapped, CONTEXT)
      first.fill(0)
      await expectOpens(made, made.plaintext)
    })

    it('leaves the wrapped key and the context as they are', async () => {
      const context = { ...CONTEXT }
      const { kekId: full, wrapped } = await kms.generateDataKey(kekId, context)
      const before = Buffer.from(wrapped)
      await kms.unwrap(full, wrapped, context)
      expect(Buffer.from(wrapped).equals(before)).toBe(true)
      expect(context).toEqual(CONTEXT)
    })

    it('takes the names of a context in any order, and any text in it', async () => {
      const context = { b: 'ü"\\=', a: '1' }
      const { kekId: full, wrapped } = await kms.generateDataKey(kekId, context)
      const reordered = { a: '1', b: 'ü"\\=' }
      await expect(kms.unwrap(full, wrapped, reordered)).resolves.toHaveLength(32)
    })

    it.each([
      ['another DEK', { ...CONTEXT, dek: 'e' }],
      ['another domain', { ...CONTEXT, domain: 'payments' }],
      ['one pair more', { ...CONTEXT, more: '1' }],
      ['no context', {}],
    ])('refuses to unwrap with %s', async (_what, context) => {
      const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      await expect(kms.unwrap(kekId, wrapped, context)).rejects.toEqual(tampered)
    })

    it('refuses a wrapped key that was altered, wherever it was', async () => {
      const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      for (const at of [0, wrapped.length >> 1, wrapped.length - 1]) {
        const altered = Buffer.from(wrapped)
        altered.writeUInt8(altered.readUInt8(at) ^ 1, at)
        const failure = await kms.unwrap(kekId, altered, CONTEXT).catch((error: unknown) => error)
        // What comes first in a wrap names the key or its version with some providers.
        const codes = at === 0 ? /^SEAL_(KEY_TAMPERED|KEK_DESTROYED)$/ : /^SEAL_KEY_TAMPERED$/
        expect(failure).toMatchObject({ code: expect.stringMatching(codes), retryable: false })
      }
    })

    it.each([
      ['a shorter one', (wrapped: Uint8Array) => wrapped.subarray(0, wrapped.length - 1)],
      ['one byte', () => Buffer.from([1])],
      ['bytes that are none', () => Buffer.alloc(64, 0xff)],
    ])('refuses in place of a wrapped key: %s', async (_what, spoil) => {
      const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      await expect(kms.unwrap(kekId, spoil(wrapped), CONTEXT)).rejects.toEqual(tampered)
    })

    it('refuses a wrapped key of another KEK', async () => {
      const { wrapped } = await kms.generateDataKey(place.otherKekId, CONTEXT)
      await expect(kms.unwrap(kekId, wrapped, CONTEXT)).rejects.toEqual(tampered)
    })

    it('tells a KEK that it does not hold', async () => {
      const destroyed = failing('SEAL_KEK_DESTROYED')
      const { unknownKekId } = place
      await expect(kms.generateDataKey(unknownKekId, CONTEXT)).rejects.toEqual(destroyed)
      const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      await expect(kms.unwrap(unknownKekId, wrapped, CONTEXT)).rejects.toEqual(destroyed)
    })

    it('names the key in its refusals, and no key bytes', async () => {
      const { plaintext } = await kms.generateDataKey(kekId, CONTEXT)
      const failure = await kms.generateDataKey(place.unknownKekId, CONTEXT).catch((e) => e)
      expect(failure.message).toContain(place.unknownKekId)
      expect(failure.message).not.toContain(Buffer.from(plaintext).toString('base64'))
      expect(failure.cause).toBeUndefined()
    })

    it('rewraps under another KEK: the same key, other bytes, the same context', async () => {
      const made = await kms.generateDataKey(kekId, CONTEXT)
      const rewrapped = await kms.rewrap(made.kekId, made.wrapped, place.otherKekId, CONTEXT)
      expect(isSameKek(place.otherKekId, rewrapped.kekId)).toBe(true)
      expect(Buffer.from(rewrapped.wrapped).equals(made.wrapped)).toBe(false)
      await expectOpens(rewrapped, made.plaintext)
      const other = { ...CONTEXT, dek: 'e' }
      await expect(kms.unwrap(rewrapped.kekId, rewrapped.wrapped, other)).rejects.toEqual(tampered)
    })

    it('refuses to rewrap with another context, or to a KEK that it does not hold', async () => {
      const { wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      const other = { ...CONTEXT, dek: 'e' }
      await expect(kms.rewrap(kekId, wrapped, kekId, other)).rejects.toEqual(tampered)
      await expect(kms.rewrap(kekId, wrapped, place.unknownKekId, CONTEXT)).rejects.toEqual(
        failing('SEAL_KEK_DESTROYED'),
      )
    })

    it('serves many calls at once', async () => {
      const made = await Promise.all(
        Array.from({ length: 16 }, () => kms.generateDataKey(kekId, CONTEXT)),
      )
      const wraps = made.map(({ wrapped }) => Buffer.from(wrapped).toString('hex'))
      expect(new Set(wraps).size).toBe(16)
      await Promise.all(made.map((one) => expectOpens(one, one.plaintext)))
    })

    it('wraps under a new version once the KEK is rotated, and still opens the old', async () => {
      const before = await kms.generateDataKey(kekId, CONTEXT)
      await place.rotate()
      const after = await kms.generateDataKey(kekId, CONTEXT)
      expect(after.kekId).toBe(before.kekId)
      if (place.tellsVersion) {
        expect(before.kekVersion).toBeTypeOf('string')
        expect(after.kekVersion).toBeTypeOf('string')
        expect(after.kekVersion).not.toBe(before.kekVersion)
      } else {
        expect([before.kekVersion, after.kekVersion]).toEqual([null, null])
      }
      await expectOpens(before, before.plaintext)
      const rewrapped = await kms.rewrap(before.kekId, before.wrapped, kekId, CONTEXT)
      expect(rewrapped.kekVersion).toBe(after.kekVersion)
      await expectOpens(rewrapped, before.plaintext)
    })

    it('tells credentials that are not accepted', async () => {
      if (place.denied === null) return
      const { kekId: full, wrapped } = await kms.generateDataKey(kekId, CONTEXT)
      const denied = await place.denied()
      const refusal = failing('SEAL_KMS_DENIED')
      await expect(denied.generateDataKey(kekId, CONTEXT)).rejects.toEqual(refusal)
      await expect(denied.unwrap(full, wrapped, CONTEXT)).rejects.toEqual(refusal)
      await denied.close()
    })

    it('tells that nothing answers, and that a later try may succeed', async () => {
      if (place.away === null) return
      const away = await place.away()
      await expect(away.generateDataKey(kekId, CONTEXT)).rejects.toEqual(
        failing('SEAL_KMS_UNAVAILABLE', true),
      )
      await away.close()
    })

    it('tells a KEK that is switched off', async () => {
      if (place.disable === null) return
      const { kekId: full, wrapped } = await kms.generateDataKey(place.otherKekId, CONTEXT)
      await place.disable(place.otherKekId)
      const disabled = failing('SEAL_KEK_DISABLED')
      await expect(kms.generateDataKey(place.otherKekId, CONTEXT)).rejects.toEqual(disabled)
      await expect(kms.unwrap(full, wrapped, CONTEXT)).rejects.toEqual(disabled)
    })
  })
}
