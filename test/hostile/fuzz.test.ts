import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load-config.ts'
import { nodeEngine } from '../../src/crypto/cipher-engine.ts'
import { isSealError } from '../../src/errors.ts'
import type { Message } from '../../src/format/message.ts'
import { parseReference } from '../../src/format/reference-value.ts'
import { DekCache } from '../../src/keys/dek-cache.ts'
import { SealedReader } from '../../src/reader/sealed-reader.ts'
import { inspectSegment } from '../../src/reader/segment-inspection.ts'
import { verifySegment } from '../../src/reader/segment-verification.ts'
import { emptyDirectory } from '../support/empty-directory.ts'
import { FakeKms } from '../support/fake-kms.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryObjectStore } from '../support/memory-object-store.ts'
import { comparable, message } from '../support/messages.ts'
import { KEK_ID, makeDek, type SealedSegment, sealSegment } from '../support/sealed-segment.ts'
import { MINIMAL } from '../unit/config/sample.ts'

/** A run can be had again: SEALSTREAM_FUZZ_SEED=… npx vitest run --project unit test/hostile/fuzz */
const SEED = Number(process.env.SEALSTREAM_FUZZ_SEED ?? Date.now() % 2 ** 32)
const ROUND_MS_MAX = 2_000
const KEY_OPTIONS = { allowedKekIds: [KEK_ID], entriesMax: 1, ttlMs: 1_000 }
const MESSAGES: readonly Message[] = Array.from({ length: 5 }, (_, i) =>
  message({
    offset: 7 * i,
    partition: i % 2,
    value: Buffer.from(`value ${i}`),
    headers: [[Buffer.from('h'), null]],
  }),
)
const kms = new FakeKms(KEK_ID)
const objects = new MemoryObjectStore()
const reader = new SealedReader(
  { objects, kms, directory: emptyDirectory, clock: new ManualClock() },
  KEY_OPTIONS,
)
let segment: SealedSegment

afterAll(() => reader.close())

beforeAll(async () => {
  segment = await sealSegment(await makeDek(kms), new MemoryObjectStore(), MESSAGES)
})

/** Numbers from 0 up to, but without, `end`; the same ones for the same seed (mulberry32). */
class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end
  }
}

const EDGES = [0, 1, 0x7f, 0x80, 0xff]

/** One to four changes: a bit, a byte, a number of four bytes, a cut, bytes put in or taken twice. */
function mutated(bytes: Buffer, dice: Dice): Buffer {
  let result = Buffer.from(bytes)
  for (let left = 1 + dice.below(4); left > 0 && result.length > 4; left--) {
    const at = dice.below(result.length - 4)
    const edge = EDGES[dice.below(EDGES.length)] as number
    const [front, back] = [result.subarray(0, at), result.subarray(at)]
    const change = dice.below(7)
    if (change === 0) result.writeUInt8(result.readUInt8(at) ^ (1 << dice.below(8)), at)
    else if (change === 1) result.writeUInt8(edge, at)
    else if (change === 2) result.fill(edge, at, at + 4)
    else if (change === 3)
      result = Buffer.from(dice.below(8) === 0 ? front : Buffer.concat([front, back.subarray(1)]))
    else if (change === 4) result = Buffer.concat([front, Buffer.from([edge]), back])
    else if (change === 5)
      result = Buffer.concat([front, back.subarray(0, 1 + dice.below(20)), back])
    else result.writeUInt8(dice.below(256), at)
  }
  return result
}

const mutatedText = (text: string, dice: Dice) => mutated(Buffer.from(text), dice).toString('utf8')

/** Metadata as an HTTP client gives them: text, any name missing, changed or new. */
function mutatedMetadata(
  pairs: Readonly<Record<string, string>>,
  dice: Dice,
): Record<string, string> {
  const entries = Object.entries(pairs).map(([name, value]): [string, string] =>
    dice.below(4) > 0
      ? [name, value]
      : [dice.below(8) > 0 ? name : mutatedText(name, dice), mutatedText(value, dice)],
  )
  return Object.fromEntries(entries.filter(() => dice.below(20) > 0))
}

/** Runs rounds; each ends well or in a SealError. The seed stands in the failure. Returns how many ended well. */
async function rounds(count: number, work: (dice: Dice) => unknown): Promise<number> {
  let fine = 0
  for (let round = 0; round < count; round++) {
    const seed = (SEED + round) >>> 0
    const startedAtMs = performance.now()
    try {
      await work(new Dice(seed))
      fine++
    } catch (error) {
      if (!isSealError(error)) throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    }
    expect(performance.now() - startedAtMs, `seed ${seed} took long`).toBeLessThan(ROUND_MS_MAX)
  }
  return fine
}

function put(bytes: Buffer, metadata: Readonly<Record<string, string>>): void {
  objects.objects.set(segment.objectKey, { bytes, metadata })
}

async function verify(): Promise<void> {
  const keys = new DekCache({ kms, directory: emptyDirectory }, new ManualClock(), KEY_OPTIONS)
  try {
    const inspection = await inspectSegment(objects, segment.objectKey)
    await verifySegment(inspection, { objects, keys, engine: nodeEngine, onFrames: () => {} })
  } finally {
    keys.close()
  }
}

/** Opens a reference; what opens must be the message that stands at its coordinates. */
async function open(reference: string): Promise<void> {
  const opened = await reader.openReference(reference)
  const sent = MESSAGES.find(
    ({ partition, offset }) => partition === opened.partition && offset === opened.offset,
  )
  expect(opened.topic).toBe('orders')
  expect(comparable(opened)).toEqual(comparable(sent as Message))
}

const referenceText = (dice: Dice) =>
  JSON.stringify({ v: 1, ...segment.references[dice.below(MESSAGES.length)] })

describe(`random changes (seed ${SEED})`, () => {
  it('of a segment are found when all of it is verified', async () => {
    const fine = await rounds(1_000, async (dice) => {
      const bytes = mutated(segment.bytes, dice)
      put(bytes, segment.metadata)
      await verify()
      expect(bytes.equals(segment.bytes)).toBe(true)
    })
    expect(fine).toBeLessThan(100)
  })

  it('of a segment never open to another message', async () => {
    const fine = await rounds(1_000, (dice) => {
      put(mutated(segment.bytes, dice), segment.metadata)
      return open(referenceText(dice))
    })
    expect(fine).toBeGreaterThan(0)
  })

  it('of metadata never open to another message', async () => {
    await rounds(1_000, (dice) => {
      put(segment.bytes, mutatedMetadata(segment.metadata, dice))
      return open(referenceText(dice))
    })
  })

  it('of a reference never open to another message', async () => {
    await rounds(1_000, (dice) => {
      put(segment.bytes, segment.metadata)
      return open(mutatedText(referenceText(dice), dice))
    })
  })

  it('of a reference leave it one that stays in its bucket, or none', async () => {
    await rounds(3_000, (dice) => {
      const { object } = parseReference(mutatedText(referenceText(dice), dice))
      expect(new URL(`http://store/bucket/${object}`).pathname).toBe(`/bucket/${object}`)
    })
  })

  it('of a configuration are taken or refused', async () => {
    const fine = await rounds(200, (dice) =>
      parseConfig(mutatedText(MINIMAL, dice), {}, 'test.yaml'),
    )
    expect(fine).toBeLessThan(200)
  })
})
