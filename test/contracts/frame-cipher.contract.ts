import { createDecipheriv, randomBytes, randomInt } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CipherEngine, nodeEngine } from '../../src/crypto/cipher-engine.ts'
import { SecretBytes } from '../../src/crypto/secret-bytes.ts'
import type { SegmentKeys } from '../../src/crypto/segment-keys.ts'
import { isSealError } from '../../src/errors.ts'

const HEADER_BYTES = 20
const TAG_BYTES = 16
const MARGIN_BYTES = 64
const LENGTHS = [
  ...Array.from({ length: 300 }, (_, i) => i),
  ...[511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 8192, 8193, 16_383, 16_385],
  ...[65_535, 65_536, 65_537, 70_000],
]

/** Keys of a segment of its own. */
export function newKeys(): SegmentKeys {
  return { frameKey: SecretBytes.takeFrom(randomBytes(32)), baseNonce: randomBytes(12) }
}

/** A frame of random bytes in the middle of a buffer. */
interface Place {
  readonly part: Buffer
  readonly at: number
  readonly frameBytes: number
  readonly parcel: Buffer
}

function placeOf(parcelBytes: number): Place {
  const frameBytes = HEADER_BYTES + parcelBytes + TAG_BYTES
  const part = randomBytes(MARGIN_BYTES + frameBytes + MARGIN_BYTES)
  const bodyAt = MARGIN_BYTES + HEADER_BYTES
  const parcel = Buffer.from(part.subarray(bodyAt, bodyAt + parcelBytes))
  return { part, at: MARGIN_BYTES, frameBytes, parcel }
}

function outcome(work: () => unknown): string {
  try {
    work()
    return 'done'
  } catch (error) {
    return isSealError(error) ? error.code : (error as Error).message
  }
}

/** What every engine keeps; node:crypto is the yardstick. */
export function frameCipherContract(name: string, select: () => Promise<CipherEngine>): void {
  describe(`frames sealed by the ${name} engine`, () => {
    let engine: CipherEngine
    beforeAll(async () => {
      engine = await select()
    })

    it('come back whole at every length, and equal those of node:crypto to the bit', () => {
      const keys = newKeys()
      using cipher = engine.create(keys)
      using yardstick = nodeEngine.create(keys)
      for (const parcelBytes of LENGTHS) {
        const { part, at, frameBytes, parcel } = placeOf(parcelBytes)
        const seq = randomInt(2 ** 32)
        const aad = randomBytes(randomInt(200))
        const expected = Buffer.from(part)
        yardstick.seal(expected, at, frameBytes, seq, aad)
        cipher.seal(part, at, frameBytes, seq, aad)
        // The margins and the header are in the comparison: no byte outside body and tag changed.
        expect(part.equals(expected), `${parcelBytes} bytes`).toBe(true)
        const before = Buffer.from(part)
        expect(cipher.open(part, at, frameBytes, seq, aad).equals(parcel)).toBe(true)
        expect(yardstick.open(part, at, frameBytes, seq, aad).equals(parcel)).toBe(true)
        expect(part.equals(before)).toBe(true)
      }
    })

    it('are opened into a place of the caller, of which no byte behind changes', () => {
      using cipher = engine.create(newKeys())
      for (const parcelBytes of [0, 1, 100, 5_000]) {
        const { part, at, frameBytes, parcel } = placeOf(parcelBytes)
        const aad = randomBytes(30)
        cipher.seal(part, at, frameBytes, 7, aad)
        const place = randomBytes(parcelBytes + MARGIN_BYTES)
        const behind = Buffer.from(place.subarray(parcelBytes))
        const opened = cipher.open(part, at, frameBytes, 7, aad, place)
        expect(opened.equals(parcel)).toBe(true)
        expect(opened.buffer).toBe(place.buffer)
        expect(place.subarray(parcelBytes).equals(behind)).toBe(true)
        const short = Buffer.alloc(Math.max(0, parcelBytes - 1))
        const opening = () => cipher.open(part, at, frameBytes, 7, aad, short)
        if (parcelBytes > 0) expect(outcome(opening)).toBe('SEAL_MALFORMED')
      }
    })

    it.each([0, 1, 255, 256, 65_536, 2 ** 31, 2 ** 32 - 1])(
      'are under the nonce that is the base XOR their number: %i',
      (seq) => {
        const keys = newKeys()
        using cipher = engine.create(keys)
        const { part, at, frameBytes, parcel } = placeOf(100)
        const aad = randomBytes(90)
        cipher.seal(part, at, frameBytes, seq, aad)
        const base = BigInt(`0x${Buffer.from(keys.baseNonce).toString('hex')}`)
        const nonce = Buffer.from((base ^ BigInt(seq)).toString(16).padStart(24, '0'), 'hex')
        const frame = part.subarray(at, at + frameBytes)
        const byHand = keys.frameKey.reveal((key) => createDecipheriv('aes-256-gcm', key, nonce))
        byHand.setAAD(aad).setAuthTag(frame.subarray(-TAG_BYTES))
        const body = frame.subarray(HEADER_BYTES, -TAG_BYTES)
        expect(Buffer.concat([byHand.update(body), byHand.final()]).equals(parcel)).toBe(true)
      },
    )

    it('change no byte of the buffer around them', () => {
      using cipher = engine.create(newKeys())
      const { part, at, frameBytes } = placeOf(1000)
      const before = Buffer.from(part)
      cipher.seal(part, at, frameBytes, 1, randomBytes(90))
      const bodyAt = at + HEADER_BYTES
      expect(part.subarray(0, bodyAt).equals(before.subarray(0, bodyAt))).toBe(true)
      expect(part.subarray(at + frameBytes).equals(before.subarray(at + frameBytes))).toBe(true)
      expect(part.subarray(bodyAt, at + frameBytes).equals(before.subarray(bodyAt))).toBe(false)
    })

    it.each([0, 1, 100])('are refused with any bit of body or tag flipped: %i bytes', (length) => {
      using cipher = engine.create(newKeys())
      const { part, at, frameBytes } = placeOf(length)
      const aad = randomBytes(90)
      cipher.seal(part, at, frameBytes, 7, aad)
      for (let bit = 0; bit < (length + TAG_BYTES) * 8; bit++) {
        const flipped = Buffer.from(part)
        const byteAt = at + HEADER_BYTES + (bit >> 3)
        flipped[byteAt] = (flipped[byteAt] as number) ^ (1 << (bit & 7))
        const open = () => cipher.open(flipped, at, frameBytes, 7, aad)
        expect(outcome(open), `bit ${bit}`).toBe('SEAL_OPEN_FAILED')
      }
    })

    it('are refused under another number, other associated data, another key or base nonce', () => {
      const keys = newKeys()
      using cipher = engine.create(keys)
      using otherKey = engine.create({ ...keys, frameKey: newKeys().frameKey })
      using otherNonce = engine.create({ ...keys, baseNonce: newKeys().baseNonce })
      const { part, at, frameBytes, parcel } = placeOf(50)
      const aad = randomBytes(90)
      cipher.seal(part, at, frameBytes, 7, aad)
      const altered = Buffer.from(aad)
      altered[89] = (altered[89] as number) ^ 1
      for (const open of [
        () => cipher.open(part, at, frameBytes, 8, aad),
        () => cipher.open(part, at, frameBytes, 7, altered),
        () => cipher.open(part, at, frameBytes, 7, aad.subarray(1)),
        () => cipher.open(part, at, frameBytes, 7, Buffer.alloc(0)),
        () => cipher.open(part, at, frameBytes - 1, 7, aad),
        () => otherKey.open(part, at, frameBytes, 7, aad),
        () => otherNonce.open(part, at, frameBytes, 7, aad),
      ]) {
        expect(outcome(open)).toBe('SEAL_OPEN_FAILED')
      }
      expect(cipher.open(part, at, frameBytes, 7, aad).equals(parcel)).toBe(true)
    })

    it('may be sealed and opened in turns by two ciphers', () => {
      using a = engine.create(newKeys())
      using b = engine.create(newKeys())
      for (let seq = 0; seq < 200; seq++) {
        const [first, second] = [placeOf(seq), placeOf(300 - seq)]
        const aad = randomBytes(90)
        a.seal(first.part, first.at, first.frameBytes, seq, aad)
        b.seal(second.part, second.at, second.frameBytes, seq, aad)
        const swapped = () => b.open(first.part, first.at, first.frameBytes, seq, aad)
        expect(outcome(swapped)).toBe('SEAL_OPEN_FAILED')
        const fromA = a.open(first.part, first.at, first.frameBytes, seq, aad)
        const fromB = b.open(second.part, second.at, second.frameBytes, seq, aad)
        expect([fromA.equals(first.parcel), fromB.equals(second.parcel)]).toEqual([true, true])
      }
    })

    it('are refused when they do not lie within their buffer, and their numbers when no u32', () => {
      using cipher = engine.create(newKeys())
      const { part, at, frameBytes } = placeOf(100)
      const before = Buffer.from(part)
      const aad = Buffer.alloc(90)
      const inner = part.subarray(0, at + frameBytes - 1)
      const calls: [Buffer, number, number, number][] = [
        [part, part.length - frameBytes + 1, frameBytes, 0],
        [inner, at, frameBytes, 0],
        [part, -1, frameBytes, 0],
        [part, at, 35, 0],
        [part, at, 2 ** 31, 0],
        [part, at, 2 ** 53, 0],
        [part, 0.5, frameBytes, 0],
        [part, at, Number.NaN, 0],
        [part, at, frameBytes, -1],
        [part, at, frameBytes, 2 ** 32],
        [part, at, frameBytes, 1.5],
      ]
      for (const [buffer, from, length, seq] of calls) {
        const text = `${from} ${length} ${seq}`
        const seal = () => cipher.seal(buffer, from, length, seq, aad)
        const open = () => cipher.open(buffer, from, length, seq, aad)
        expect([outcome(seal), outcome(open)], text).toEqual(['SEAL_MALFORMED', 'SEAL_MALFORMED'])
      }
      expect(part.equals(before)).toBe(true)
    })
  })

  describe(`a cipher of the ${name} engine`, () => {
    it('does nothing after its disposal, which may be asked for twice', async () => {
      const cipher = (await select()).create(newKeys())
      const { part, at, frameBytes } = placeOf(10)
      cipher.seal(part, at, frameBytes, 0, Buffer.alloc(1))
      cipher.open(part, at, frameBytes, 0, Buffer.alloc(1))
      cipher[Symbol.dispose]()
      cipher[Symbol.dispose]()
      const before = Buffer.from(part)
      const seal = () => cipher.seal(part, at, frameBytes, 0, Buffer.alloc(1))
      const open = () => cipher.open(part, at, frameBytes, 0, Buffer.alloc(1))
      expect([outcome(seal), outcome(open)]).toEqual([
        'a frame cipher is used after its disposal',
        'a frame cipher is used after its disposal',
      ])
      expect(part.equals(before)).toBe(true)
    })

    it('is not made of keys of a wrong length', async () => {
      const engine = await select()
      const keys = newKeys()
      const short = SecretBytes.takeFrom(randomBytes(16))
      expect(outcome(() => engine.create({ ...keys, frameKey: short }))).toBe('SEAL_MALFORMED')
      for (const length of [0, 11, 13, 16]) {
        const baseNonce = Buffer.alloc(length)
        expect(outcome(() => engine.create({ ...keys, baseNonce }))).toBe('SEAL_MALFORMED')
      }
    })
  })
}
