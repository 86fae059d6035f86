import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { nodeEngine } from '../../../src/crypto/cipher-engine.ts'
import type { ErrorCode } from '../../../src/errors.ts'
import type { Message } from '../../../src/format/message.ts'
import type { Reference } from '../../../src/format/reference-value.ts'
import type { Dek } from '../../../src/keys/dek.ts'
import { DekCache } from '../../../src/keys/dek-cache.ts'
import { SegmentOpener } from '../../../src/reader/open-frame.ts'
import { emptyDirectory } from '../../support/empty-directory.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'
import { anyMessage, comparable, message } from '../../support/messages.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from '../../support/sealed-segment.ts'

const kms = new FakeKms(KEK_ID)
const store = new MemoryObjectStore()
const MESSAGES: readonly Message[] = [
  message({ offset: 5, value: Buffer.from('one') }),
  message({ offset: 6, value: Buffer.from('two') }),
  message({ partition: 1, offset: 5, value: Buffer.from('six') }),
]
let dek: Dek
let segment: SealedSegment

beforeAll(async () => {
  dek = await makeDek(kms)
  segment = await sealSegment(dek, store, MESSAGES)
})

function openerOf(metadata: Record<string, string>): Promise<SegmentOpener> {
  const options = { allowedKekIds: [KEK_ID], entriesMax: 10, ttlMs: 1_000 }
  return SegmentOpener.create(
    metadata,
    new DekCache({ kms, directory: emptyDirectory }, new ManualClock(), options),
    nodeEngine,
  )
}

/** The code that an opening ends in, or 'opened'. */
function outcome(open: () => unknown): ErrorCode | 'opened' {
  try {
    open()
    return 'opened'
  } catch (error) {
    return (error as { code: ErrorCode }).code
  }
}

async function outcomeOfMetadata(change: Record<string, string>): Promise<ErrorCode | 'opened'> {
  try {
    await openerOf({ ...segment.metadata, ...change })
    return 'opened'
  } catch (error) {
    return (error as { code: ErrorCode }).code
  }
}

function referenceOf(index: number): Reference {
  return segment.references[index] as Reference
}

/** The frame of a reference with one bit flipped. */
function withFlip(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return flipped
}

describe('a segment', () => {
  it('gives back every message, however odd', async () => {
    const content = fc.array(anyMessage, { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(content, async (messages) => {
        const { metadata, bytes, references, rows } = await sealSegment(dek, store, messages)
        const opener = await openerOf(metadata)
        messages.forEach((sealed, i) => {
          const reference = references[i] as Reference
          const opened = opener.open(bytes, reference.position, reference)
          expect(comparable(opened)).toEqual(comparable(sealed))
          const { topic, partition, offset } = sealed
          expect(opened).toMatchObject({ topic, partition, offset })
          const { position, length } = reference
          expect([rows.position[i], rows.length[i]]).toEqual([position, length])
        })
      }),
      { numRuns: 40 },
    )
  })

  it('holds no plaintext, neither in its object nor in metadata, rows or references', () => {
    const { bytes, metadata, references, rows } = segment
    expect(bytes.includes('value')).toBe(false)
    for (const { value } of MESSAGES) expect(bytes.includes(value as Buffer)).toBe(false)
    expect(JSON.stringify([metadata, references, rows])).not.toContain('one')
  })

  it('opens nothing more once its opener is disposed', async () => {
    const opener = await openerOf(segment.metadata)
    opener[Symbol.dispose]()
    const reference = referenceOf(0)
    const open = () => opener.open(segment.bytes, reference.position, reference)
    expect(open).toThrow('used after its disposal')
  })

  it('opens no frame with a flipped bit', async () => {
    const opener = await openerOf(segment.metadata)
    const reference = referenceOf(0)
    const { position, length } = reference
    const frame = segment.bytes.subarray(position, position + length)
    expect(outcome(() => opener.open(frame, 0, reference))).toBe('opened')
    const outcomes = new Set<string>()
    for (let bit = 0; bit < length * 8; bit++) {
      outcomes.add(outcome(() => opener.open(withFlip(frame, bit), 0, reference)))
    }
    expect([...outcomes].sort()).toEqual([
      'SEAL_CONTEXT_MISMATCH',
      'SEAL_MALFORMED',
      'SEAL_OPEN_FAILED',
    ])
  })

  it('opens no frame that was cut short, even when its length says so', async () => {
    const opener = await openerOf(segment.metadata)
    const reference = referenceOf(0)
    const { position } = reference
    for (let length = 0; length < reference.length; length++) {
      const cut = Buffer.from(segment.bytes.subarray(position, position + length))
      expect(outcome(() => opener.open(cut, 0, reference))).toBe('SEAL_MALFORMED')
      if (length < 36) continue
      cut.writeUInt32BE(length, 0)
      expect(outcome(() => opener.open(cut, 0, { ...reference, length }))).toBe('SEAL_OPEN_FAILED')
    }
  })

  it('opens no frame in the place of another', async () => {
    const opener = await openerOf(segment.metadata)
    const { bytes } = segment
    expect(referenceOf(0).length).toBe(referenceOf(1).length)
    const swapped = { ...referenceOf(0), position: referenceOf(1).position }
    expect(outcome(() => opener.open(bytes, swapped.position, swapped))).toBe(
      'SEAL_CONTEXT_MISMATCH',
    )
    const relabelled = Buffer.from(bytes)
    bytes.copy(relabelled, referenceOf(1).position, referenceOf(0).position, 160 + 20)
    expect(outcome(() => opener.open(relabelled, swapped.position, swapped))).toBe(
      'SEAL_OPEN_FAILED',
    )
  })

  it.each([
    ['topic', { topic: 'other' }, 'SEAL_OPEN_FAILED'],
    ['partition', { partition: 1 }, 'SEAL_OPEN_FAILED'],
    ['offset', { offset: 6 }, 'SEAL_CONTEXT_MISMATCH'],
    ['length', { length: 60 }, 'SEAL_CONTEXT_MISMATCH'],
  ])('opens no frame for a reference with another %s', async (_what, change, code) => {
    const opener = await openerOf(segment.metadata)
    const reference = { ...referenceOf(0), ...change }
    expect(outcome(() => opener.open(segment.bytes, reference.position, reference))).toBe(code)
  })

  it('opens no frame with an offset rewritten in both places', async () => {
    const opener = await openerOf(segment.metadata)
    const reference = { ...referenceOf(0), offset: 7 }
    const forged = Buffer.from(segment.bytes)
    forged.writeBigInt64BE(7n, reference.position + 8)
    expect(outcome(() => opener.open(forged, reference.position, reference))).toBe(
      'SEAL_OPEN_FAILED',
    )
  })

  it('opens no frame under another cluster', async () => {
    const opener = await openerOf({ ...segment.metadata, 'ss-cluster': 'cluster-b' })
    const reference = referenceOf(0)
    expect(outcome(() => opener.open(segment.bytes, reference.position, reference))).toBe(
      'SEAL_OPEN_FAILED',
    )
  })

  it('opens no frame of another segment under the same DEK', async () => {
    const other = await sealSegment(dek, store, MESSAGES)
    const opener = await openerOf(segment.metadata)
    const reference = referenceOf(0)
    expect(outcome(() => opener.open(other.bytes, reference.position, reference))).toBe(
      'SEAL_OPEN_FAILED',
    )
    const theirs = other.references[0] as Reference
    expect(outcome(() => opener.open(other.bytes, theirs.position, theirs))).toBe(
      'SEAL_CONTEXT_MISMATCH',
    )
  })
})

describe('metadata of a segment', () => {
  it('is refused, header bit by header bit, before any frame is opened', async () => {
    const header = Buffer.from(segment.metadata['ss-h'] as string, 'base64url')
    const outcomes = new Map<ErrorCode | 'opened', number>()
    for (let bit = 0; bit < header.length * 8; bit++) {
      const code = await outcomeOfMetadata({ 'ss-h': withFlip(header, bit).toString('base64url') })
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
    }
    expect(Object.fromEntries(outcomes)).toEqual({
      // Magic, header length, flags, reserved bytes, and generation 0 in place of 1.
      SEAL_MALFORMED: (8 + 2 + 4 + 4) * 8 + 1,
      // Version and suite.
      SEAL_SUITE_UNKNOWN: 2 * 8,
      // The DEK id, which the wrap is bound to.
      SEAL_KEY_TAMPERED: 16 * 8,
      // Segment id, generation, salt, time, context hash, commitment.
      SEAL_COMMITMENT_MISMATCH: (16 + 4 + 32 + 8 + 32 + 32) * 8 - 1,
    })
  })

  it('is refused with the wrapped DEK of another segment', async () => {
    const other = await sealSegment(await makeDek(kms), store, MESSAGES)
    const wrapped = other.metadata['ss-k'] as string
    expect(await outcomeOfMetadata({ 'ss-k': wrapped })).toBe('SEAL_KEY_TAMPERED')
  })

  it('is refused with another DEK that a writer wrapped for this very context', async () => {
    const { dekId, keyDomain } = dek.record
    const context = { app: 'sealstream', dek: dekId, domain: keyDomain, v: '1' }
    const { wrapped } = await kms.generateDataKey(KEK_ID, context)
    const forged = Buffer.from(wrapped).toString('base64url')
    expect(await outcomeOfMetadata({ 'ss-k': forged })).toBe('SEAL_COMMITMENT_MISMATCH')
  })

  it('is refused when the context in the header is not that of the wrap', async () => {
    const { dekId } = dek.record
    const context = { app: 'sealstream', dek: dekId, domain: 'payments', v: '1' }
    const { wrapped } = await kms.generateDataKey(KEK_ID, context)
    const forged = { 'ss-k': Buffer.from(wrapped).toString('base64url'), 'ss-domain': 'payments' }
    expect(await outcomeOfMetadata(forged)).toBe('SEAL_COMMITMENT_MISMATCH')
  })

  it('is refused with another domain', async () => {
    expect(await outcomeOfMetadata({ 'ss-domain': 'payments' })).toBe('SEAL_KEY_TAMPERED')
  })

  it('is refused when a new header was made for the DEK of somebody else', async () => {
    const other = await sealSegment(await makeDek(kms), store, MESSAGES)
    const header = other.metadata['ss-h'] as string
    expect(await outcomeOfMetadata({ 'ss-h': header })).toBe('SEAL_KEY_TAMPERED')
  })
})

describe('keys and nonces', () => {
  it('never meet twice: each segment of a DEK has a salt, a key and a base nonce of its own', async () => {
    const segments = Array.from({ length: 200 }, () => dek.newSegment(segment.segmentId, 0))
    const distinct = (parts: Uint8Array[]) =>
      new Set(parts.map((part) => Buffer.from(part).toString('hex'))).size
    expect(distinct(segments.map(({ header }) => header.subarray(56, 88)))).toBe(200)
    expect(
      distinct(segments.map(({ frameKey }) => frameKey.reveal((key) => Buffer.from(key)))),
    ).toBe(200)
    expect(distinct(segments.map(({ baseNonce }) => baseNonce))).toBe(200)
  })

  it('never meet twice in a segment: equal messages in it give unequal ciphertexts', async () => {
    const twin = message({ offset: 9 })
    const { bytes, references } = await sealSegment(dek, store, [twin, twin])
    const frames = references.map(({ position, length }) =>
      bytes.subarray(position, position + length),
    )
    const [first, second] = frames as [Buffer, Buffer]
    expect(first.readUInt32BE(4)).not.toBe(second.readUInt32BE(4))
    expect(first.subarray(20).equals(second.subarray(20))).toBe(false)
    // Under one key stream the two would cancel out to zeros.
    const xor = first.subarray(20, -16).map((byte, i) => byte ^ second.readUInt8(20 + i))
    expect(Math.max(...xor)).toBeGreaterThan(0)
  })
})
