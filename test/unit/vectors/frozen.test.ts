import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { selectEngine } from '../../../src/crypto/cipher-engine.ts'
import { comparable } from '../../support/messages.ts'
import { accumulatedVector, positiveVectors } from '../../vectors/make-v1.ts'
import { inspectWhole, readByReference, verifyWhole } from '../../vectors/open-place.ts'
import { negativeVectors } from '../../vectors/v1-faults.ts'
import {
  messageOf,
  type NegativeVector,
  type PositiveVector,
  placeOf,
  readAccumulated,
  readJson,
  readVectors,
  V1_FOLDER,
} from '../../vectors/vector-files.ts'

const positives = readVectors<PositiveVector>('positive')
const negatives = readVectors<NegativeVector>('negative')
const engines = await Promise.all(
  (['node', 'openssl'] as const).map(async (name) => (await selectEngine(name)).engine),
)

/** The steps of docs/format.md that need no key, nor a reference. */
const KEYLESS_STEP = 'structure'

async function codeOf(reading: Promise<unknown>): Promise<string> {
  try {
    await reading
    return 'opened'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('the frozen vectors of v1', () => {
  it.each([
    ['positive', positiveVectors()],
    ['negative', negativeVectors()],
  ] as const)('are what the product makes: %s', (kind, made) => {
    const folder = join(V1_FOLDER, kind)
    const frozen = readdirSync(folder).map((name) => readJson<{ name: string }>(join(folder, name)))
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)
    expect([...frozen].sort(byName)).toEqual([...made].sort(byName))
  })

  it('are what the product makes: 10,000 segments in one hash', () => {
    expect(accumulatedVector()).toEqual(readAccumulated())
  })

  it('hold many faults, at every step', () => {
    const steps = new Set(negatives.map(({ expected }) => expected.step))
    expect(steps.size).toBe(11)
    expect(negatives.length).toBeGreaterThan(80)
  })
})

describe.each(engines)('with the engine $name', (engine) => {
  it.each(positives)('$name opens, whole and by reference', async (vector) => {
    const place = placeOf(vector)
    const { messages } = vector.input
    expect(await verifyWhole(place, engine)).toBe(messages.length)
    for (const [i, message] of messages.entries()) {
      const opened = await readByReference(place, vector.output.references[i] as string, engine)
      const { topic, partition, offset } = message
      expect(opened).toMatchObject({ topic, partition, offset })
      expect(comparable(opened)).toEqual(comparable(messageOf(message)))
    }
  })

  it.each(negatives)('$name is refused: $about', async (vector) => {
    const { reference, expected } = vector
    const reading =
      reference === undefined
        ? verifyWhole(vector, engine)
        : readByReference(vector, reference, engine)
    expect(await codeOf(reading)).toBe(expected.code)
  })
})

describe('a scan without keys', () => {
  it.each(negatives.filter(({ reference }) => reference === undefined))(
    '$name shows when it is a matter of structure, and only then',
    async (vector) => {
      const { step, code } = vector.expected
      expect(await codeOf(inspectWhole(vector))).toBe(step === KEYLESS_STEP ? code : 'opened')
    },
  )
})
