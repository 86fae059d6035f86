import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { nodeEngine } from '../../src/crypto/cipher-engine.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import type { Dek } from '../../src/keys/dek.ts'
import { DekCache } from '../../src/keys/dek-cache.ts'
import { SealedReader } from '../../src/reader/sealed-reader.ts'
import { inspectSegment } from '../../src/reader/segment-inspection.ts'
import { verifySegment } from '../../src/reader/segment-verification.ts'
import { putTogether, takeApart } from '../support/altered-segment.ts'
import { emptyDirectory } from '../support/empty-directory.ts'
import { FakeKms } from '../support/fake-kms.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { messages } from '../support/messages.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from '../support/sealed-segment.ts'

const KIB = 1024
const WITHIN_MS = 2_000
const FRAME_AT = 160
/** In what the tag of the footer covers: magic, frame count, source count, frames end, sources. */
const FRAME_COUNT_AT = 4
const kms = new FakeKms(KEK_ID, 'foreign')
let dek: Dek
let store: MemoryObjectStore
let segment: SealedSegment

beforeAll(async () => {
  dek = await makeDek(kms)
})

beforeEach(async () => {
  store = new MemoryObjectStore()
  segment = await sealSegment(dek, store, messages(3))
  kms.calls.unwrap = 0
  store.reads.length = 0
})

type Metadata = Record<string, string>
type Harm = (bytes: Buffer, metadata: Metadata) => Buffer | undefined
type Row = readonly [what: string, code: string, harm: Harm]

/** Changes the body, which stays as long as it is. */
const body =
  (change: (bytes: Buffer) => void): Harm =>
  (bytes) => {
    change(bytes)
    return bytes
  }

/** Changes the header in the body and in the metadata alike. */
const bothHeaders =
  (change: (header: Buffer) => void): Harm =>
  (bytes, metadata) => {
    const header = bytes.subarray(0, FRAME_AT)
    change(header)
    metadata['ss-h'] = header.toString('base64url')
    return bytes
  }

const metadata =
  (change: (metadata: Metadata) => void): Harm =>
  (_bytes, pairs) => {
    change(pairs)
    return undefined
  }

/** Changes what the footer says, under a length and a checksum that fit. */
const footer =
  (change: (covered: Buffer) => Buffer): Harm =>
  (bytes) => {
    const pieces = takeApart(bytes)
    return putTogether({ ...pieces, covered: change(pieces.covered) })
  }

const footerNumber = (at: number, value: number) =>
  footer((covered) => {
    covered.writeUInt32BE(value, at)
    return covered
  })

/** The index is the end of what the tag covers: three entries of four numbers. */
const longVarint = footer((covered) => {
  const last = covered.readUInt8(covered.length - 1)
  return Buffer.concat([covered.subarray(0, -1), Buffer.from([last | 0x80, 0])])
})

const BODIES: readonly Row[] = [
  ['empty', 'SEAL_MALFORMED', () => Buffer.alloc(0)],
  ['159 bytes', 'SEAL_MALFORMED', (bytes) => bytes.subarray(0, 159)],
  ['magic only', 'SEAL_MALFORMED', (bytes) => bytes.subarray(0, 8)],
  ['a header and no more', 'SEAL_MALFORMED', (bytes) => bytes.subarray(0, FRAME_AT)],
  ['base64 text', 'SEAL_MALFORMED', (bytes) => Buffer.from(bytes.toString('base64'))],
  ['hex text', 'SEAL_MALFORMED', (bytes) => Buffer.from(bytes.toString('hex'))],
  ['zeros', 'SEAL_MALFORMED', (bytes) => bytes.fill(0)],
  ['a trailing byte', 'SEAL_MALFORMED', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
  [
    'a megabyte behind it',
    'SEAL_MALFORMED',
    (bytes) => Buffer.concat([bytes, Buffer.alloc(KIB * KIB)]),
  ],
  [
    'two footers',
    'SEAL_MALFORMED',
    (bytes) => Buffer.concat([bytes, bytes.subarray(takeApart(bytes).front.length)]),
  ],
  ['itself twice', 'SEAL_MALFORMED', (bytes) => Buffer.concat([bytes, bytes])],
]

const HEADERS: readonly Row[] = [
  ['version 0', 'SEAL_SUITE_UNKNOWN', bothHeaders((header) => header.writeUInt8(0, 8))],
  ['version 2', 'SEAL_SUITE_UNKNOWN', bothHeaders((header) => header.writeUInt8(2, 8))],
  ['suite 0', 'SEAL_SUITE_UNKNOWN', bothHeaders((header) => header.writeUInt8(0, 9))],
  ['suite 255', 'SEAL_SUITE_UNKNOWN', bothHeaders((header) => header.writeUInt8(255, 9))],
  ['headerLen 0', 'SEAL_MALFORMED', bothHeaders((header) => header.writeUInt16BE(0, 10))],
  ['headerLen 65535', 'SEAL_MALFORMED', bothHeaders((header) => header.writeUInt16BE(65_535, 10))],
  ['an unknown flag', 'SEAL_MALFORMED', bothHeaders((header) => header.writeUInt32BE(1, 12))],
  ['a reserved byte', 'SEAL_MALFORMED', bothHeaders((header) => header.writeUInt8(1, 39))],
  ['generation 0', 'SEAL_MALFORMED', bothHeaders((header) => header.writeUInt32BE(0, 32))],
  ['a time that is none', 'SEAL_MALFORMED', bothHeaders((header) => header.fill(0x7f, 88, 96))],
  [
    'the id of another segment',
    'SEAL_CONTEXT_MISMATCH',
    bothHeaders((header) => header.fill(7, 16, 32)),
  ],
]

const FOOTERS: readonly Row[] = [
  [
    'footerLen beyond the object',
    'SEAL_MALFORMED',
    body((bytes) => bytes.writeUInt32BE(bytes.length, bytes.length - 16)),
  ],
  [
    'footerLen 2^32-1',
    'SEAL_MALFORMED',
    body((bytes) => bytes.writeUInt32BE(2 ** 32 - 1, bytes.length - 16)),
  ],
  ['footerLen 0', 'SEAL_MALFORMED', body((bytes) => bytes.writeUInt32BE(0, bytes.length - 16))],
  ['footerLen 16', 'SEAL_MALFORMED', body((bytes) => bytes.writeUInt32BE(16, bytes.length - 16))],
  ['frameCount 0', 'SEAL_MALFORMED', footerNumber(FRAME_COUNT_AT, 0)],
  ['frameCount 2^20', 'SEAL_MALFORMED', footerNumber(FRAME_COUNT_AT, 2 ** 20)],
  ['frameCount 2^32-1', 'SEAL_MALFORMED', footerNumber(FRAME_COUNT_AT, 2 ** 32 - 1)],
  [
    'sourceCount 65535',
    'SEAL_MALFORMED',
    footer((covered) => {
      covered.writeUInt16BE(65_535, 8)
      return covered
    }),
  ],
  ['framesEnd 2^64-1', 'SEAL_MALFORMED', footer((covered) => covered.fill(0xff, 10, 18))],
  ['a varint that is not the shortest', 'SEAL_MALFORMED', longVarint],
  [
    'a varint that does not end',
    'SEAL_MALFORMED',
    footer((covered) => covered.fill(0xff, covered.length - 9)),
  ],
]

const NAMES = ['ss-v', 'ss-h', 'ss-k', 'ss-kek', 'ss-domain', 'ss-cluster', 'ss-u']

const METADATA: readonly Row[] = [
  [
    'none',
    'SEAL_MALFORMED',
    metadata((pairs) => {
      for (const name of Object.keys(pairs)) delete pairs[name]
    }),
  ],
  ...NAMES.flatMap((name): Row[] => [
    [`no ${name}`, 'SEAL_MALFORMED', metadata((pairs) => delete pairs[name])],
    [
      `${name} empty`,
      'SEAL_MALFORMED',
      metadata((pairs) => {
        pairs[name] = ''
      }),
    ],
  ]),
  ...NAMES.map(
    (name): Row => [
      `${name} double, as HTTP joins it`,
      'SEAL_MALFORMED',
      metadata((pairs) => {
        pairs[name] = `${pairs[name]}, ${pairs[name]}`
      }),
    ],
  ),
  [
    'names in upper case',
    'SEAL_MALFORMED',
    metadata((pairs) => {
      for (const [name, value] of Object.entries(pairs)) {
        delete pairs[name]
        pairs[name.toUpperCase()] = value
      }
    }),
  ],
  [
    'a version of the prototype',
    'SEAL_MALFORMED',
    metadata((pairs) => {
      pairs['ss-v'] = '__proto__'
    }),
  ],
  [
    'an over-long KEK',
    'SEAL_MALFORMED',
    metadata((pairs) => {
      pairs['ss-kek'] = 'k'.repeat(16 * KIB)
    }),
  ],
  [
    'an over-long domain',
    'SEAL_MALFORMED',
    metadata((pairs) => {
      pairs['ss-domain'] = 'd'.repeat(2 * KIB)
    }),
  ],
  [
    'an over-long wrapped key',
    'SEAL_MALFORMED',
    metadata((pairs) => {
      pairs['ss-k'] = 'A'.repeat(1_368)
    }),
  ],
  [
    'a header of 159 bytes',
    'SEAL_MALFORMED',
    metadata((pairs) => {
      pairs['ss-h'] = pairs['ss-h']?.slice(0, 212) ?? ''
    }),
  ],
  [
    'a header that is not that of the body',
    'SEAL_MALFORMED',
    (bytes) => {
      bytes.writeUInt8(bytes.readUInt8(60) ^ 1, 60)
      return bytes
    },
  ],
  [
    'a domain that is no UTF-8',
    'SEAL_MALFORMED',
    metadata((pairs) => {
      pairs['ss-domain'] = '%ff'
    }),
  ],
]

/** Puts the harmed segment in the place of the sound one; copies, so that no row sees another. */
function harmed(harm: Harm): void {
  const pairs = { ...segment.metadata }
  const bytes = Buffer.from(segment.bytes)
  store.objects.set(segment.objectKey, { bytes: harm(bytes, pairs) ?? bytes, metadata: pairs })
}

async function ending(work: () => Promise<unknown>): Promise<string> {
  const startedAtMs = performance.now()
  try {
    await work()
    return 'opened'
  } catch (error) {
    expect(performance.now() - startedAtMs).toBeLessThan(WITHIN_MS)
    return (error as { code: string }).code
  }
}

async function verifyWhole(allowedKekIds = [KEK_ID]): Promise<number> {
  const keys = new DekCache({ kms, directory: emptyDirectory }, new ManualClock(), {
    allowedKekIds,
    entriesMax: 1,
    ttlMs: 1_000,
  })
  try {
    const inspection = await inspectSegment(store, segment.objectKey)
    const services = { objects: store, keys, engine: nodeEngine, onFrames: () => {} }
    return await verifySegment(inspection, services)
  } finally {
    keys.close()
  }
}

async function openOne(change: Partial<Reference> = {}, allowedKekIds = [KEK_ID]) {
  const services = { objects: store, kms, directory: emptyDirectory, clock: new ManualClock() }
  const reader = new SealedReader(services, { allowedKekIds, entriesMax: 1, ttlMs: 1_000 })
  try {
    return await reader.openReference({ ...(segment.references[0] as Reference), ...change })
  } finally {
    await reader.close()
  }
}

describe('a whole object', () => {
  it('that is sound is verified, so that what is refused is refused for its harm', async () => {
    expect(await verifyWhole()).toBe(3)
  })

  it.each([...BODIES, ...HEADERS, ...FOOTERS])(
    'of %s: %s, no KMS call',
    async (_what, code, harm) => {
      harmed(harm)
      expect(await ending(verifyWhole)).toBe(code)
      expect(kms.calls.unwrap).toBe(0)
      const asked = store.reads.reduce((sum, { length }) => sum + length, 0)
      expect(asked).toBeLessThanOrEqual(256 * KIB + FRAME_AT)
    },
  )

  it.each(METADATA)('with metadata of %s: %s, no KMS call', async (_what, code, harm) => {
    harmed(harm)
    expect(await ending(verifyWhole)).toBe(code)
    expect(kms.calls.unwrap).toBe(0)
  })

  it.each([0, 35, 36, 2 ** 32 - 1])('with frameLen %i: SEAL_MALFORMED', async (length) => {
    harmed(body((bytes) => bytes.writeUInt32BE(length, FRAME_AT)))
    expect(await ending(verifyWhole)).toBe('SEAL_MALFORMED')
  })

  it('of base64 text is refused by that name', async () => {
    harmed((bytes) => Buffer.from(bytes.toString('base64')))
    await expect(verifyWhole()).rejects.toThrow('it is a segment as base64 text')
  })

  it('under a foreign KEK is refused before the KMS is asked', async () => {
    expect(await ending(() => verifyWhole(['another']))).toBe('SEAL_KEK_NOT_ALLOWED')
    harmed(
      metadata((pairs) => {
        pairs['ss-kek'] = 'foreign'
      }),
    )
    expect(await ending(verifyWhole)).toBe('SEAL_KEK_NOT_ALLOWED')
    expect(kms.calls.unwrap).toBe(0)
  })
})

describe('one message of an object', () => {
  const structural = METADATA.filter(([what]) => !what.includes('body'))

  it('that is sound is opened, so that what is refused is refused for its harm', async () => {
    expect(Buffer.from((await openOne()).value ?? []).toString()).toBe('value 0')
  })

  it.each(structural)('with metadata of %s: %s, no KMS call', async (_what, code, harm) => {
    harmed(harm)
    expect(await ending(openOne)).toBe(code)
    expect(kms.calls.unwrap).toBe(0)
  })

  it.each(BODIES.slice(0, 4))('of %s: %s, no KMS call', async (_what, code, harm) => {
    harmed(harm)
    expect(await ending(openOne)).toBe(code)
    expect(kms.calls.unwrap).toBe(0)
  })

  it.each([
    [0, 'SEAL_MALFORMED'],
    [35, 'SEAL_MALFORMED'],
    [2 ** 32 - 1, 'SEAL_MALFORMED'],
    [36, 'SEAL_CONTEXT_MISMATCH'],
  ])('with frameLen %i: %s', async (length, code) => {
    harmed(body((bytes) => bytes.writeUInt32BE(length, FRAME_AT)))
    expect(await ending(openOne)).toBe(code)
  })

  it('under a foreign KEK is refused before the KMS is asked', async () => {
    harmed(
      metadata((pairs) => {
        pairs['ss-kek'] = 'foreign'
      }),
    )
    expect(await ending(openOne)).toBe('SEAL_KEK_NOT_ALLOWED')
    expect(kms.calls.unwrap).toBe(0)
  })
})
