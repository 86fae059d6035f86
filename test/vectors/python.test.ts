import { execFileSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toolCommand } from '../../docker/stack/prerequisites.ts'
import { runTool } from '../../docker/stack/run-tool.ts'
import { cachedPart } from '../support/cached-part.ts'
import { anyMessage, comparable } from '../support/messages.ts'
import { body, Draft, flip, forge, type Harm, meta, rehead, reseal, splice } from './damage.ts'
import { readByReference, verifyWhole } from './open-place.ts'
import { sealInput } from './seal-input.ts'
import {
  type AccumulatedVector,
  messageOf,
  type NegativeVector,
  type PositiveVector,
  placeOf,
  readAccumulated,
  readVectors,
  type VectorInput,
  type VectorOutput,
  type VectorPlace,
  vectorMessageOf,
} from './vector-files.ts'

const INSTALL_WAIT_MS = 5 * 60_000
const PINS = ['cryptography==46.0.7', 'cffi==2.1.1', 'pycparser==3.12']
const SEGMENTS = 40
const HARMED = 400

const positives = readVectors<PositiveVector>('positive')
const negatives = readVectors<NegativeVector>('negative')
let python: string
let folder: string

beforeAll(async () => {
  const venv = await cachedPart({
    folder: 'python-cryptography-46.0.7',
    proof: 'installed',
    tool: 'python3',
    build: async (into) => {
      const make = ['-m', 'venv', into]
      await runTool('creating the Python environment', toolCommand('python3'), make)
      const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', ...PINS]
      await runTool('installing cryptography', join(into, 'bin', 'python'), pip)
      writeFileSync(join(into, 'installed'), '')
    },
  })
  python = join(venv, 'bin', 'python')
  folder = mkdtempSync(join(tmpdir(), 'sealstream-vectors-'))
}, INSTALL_WAIT_MS)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The lines that the decoder prints. */
function decode(...args: string[]): string[] {
  const script = join(import.meta.dirname, 'decode.py')
  const output = execFileSync(python, ['-B', script, ...args], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  })
  return output.trimEnd().split('\n')
}

function decodeJson<T>(command: string, files: readonly string[]): T[] {
  return decode(command, ...files).map((line) => JSON.parse(line) as T)
}

/** Replaces one character of a text. */
const anyEdit = fc
  .tuple(fc.nat(), fc.constantFrom('', '0', 'A', '%', '-', '/', '.', '"', '{', 'é'))
  .map(([at, put]) => (text: string) => {
    const index = at % text.length
    return text.slice(0, index) + put + text.slice(index + 1)
  })

function flipAny(bytes: Buffer, bit: number): void {
  flip(bytes, (bit >> 3) % bytes.length, 1 << (bit & 7))
}

/** Segments that no vector holds, as odd as the property tests make messages. */
function freshInputs(): VectorInput[] {
  const contents = fc.sample(fc.array(anyMessage, { minLength: 1, maxLength: 6 }), SEGMENTS)
  return contents.map((messages) => {
    const nextOffsets = new Map<string, number>()
    const sealed = messages.map((message, i) => {
      const place = `${message.topic}/${message.partition}`
      const offset = Math.max(message.offset - 10, nextOffsets.get(place) ?? 0)
      nextOffsets.set(place, offset + 1)
      return vectorMessageOf({ ...message, offset }, i)
    })
    return {
      ...{ prefix: 'sealed', keyDomain: 'o/é', clusterId: 'cluster-a', kekId: 'kek 1' },
      ...{ segmentId: randomUUID(), dekId: randomUUID(), token: randomUUID() },
      ...{ dek: randomBytes(32).toString('hex'), salt: randomBytes(32).toString('hex') },
      ...{ generation: 1 + randomBytes(1).readUInt8(), wrapped: randomBytes(90).toString('hex') },
      ...{ createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5), messages: sealed },
    }
  })
}

const harm: fc.Arbitrary<Harm> = fc.oneof(
  fc.nat().map((bit) => body((bytes) => flipAny(bytes, bit))),
  fc.nat().map((bit) => rehead((header) => flipAny(header, bit))),
  fc.nat().map((bit) => forge((covered) => flipAny(covered, bit))),
  fc
    .tuple(fc.nat(70), fc.nat(2), fc.array(fc.nat(255), { maxLength: 2 }))
    .map(([at, remove, put]) => splice(at, remove, () => put)),
  fc.nat().map((bit) => reseal({ parcel: (parcel) => flipAny(parcel, bit) })),
  fc
    .tuple(fc.constantFrom('ss-v', 'ss-h', 'ss-k', 'ss-kek', 'ss-domain', 'ss-cluster'), anyEdit)
    .map(([name, edit]) => meta(name, edit)),
)

/** Places that a reader may meet after one random harm; half of them are read by reference. */
function harmed(): VectorPlace[] {
  const samples = fc.sample(fc.tuple(harm, anyEdit, fc.nat(3)), HARMED)
  return samples.map(([damage, edit, kind]) => {
    const draft = new Draft()
    if (kind > 0) damage(draft)
    const reference = JSON.stringify(draft.reference)
    if (kind > 1) return draft.place()
    return { ...draft.place(), reference: kind === 0 ? edit(reference) : reference }
  })
}

async function outcomeOf(place: VectorPlace): Promise<object> {
  const { reference } = place
  try {
    await (reference === undefined ? verifyWhole(place) : readByReference(place, reference))
    return { opened: true }
  } catch (error) {
    return { code: (error as { code: string }).code }
  }
}

function write(vectors: readonly object[]): string[] {
  return vectors.map((vector, i) => {
    const file = join(folder, `${i}.json`)
    writeFileSync(file, JSON.stringify(vector))
    return file
  })
}

describe('an implementation of docs/format.md that shares no code', () => {
  it('opens every positive vector, whole and by reference', () => {
    const opened = decodeJson(
      'open',
      positives.map(({ file }) => file),
    )
    expect(opened).toEqual(positives.map(({ input }) => ({ messages: input.messages })))
  })

  it('refuses every negative vector at the step and with the code that it names', () => {
    const refused = decodeJson<object>(
      'open',
      negatives.map(({ file }) => file),
    )
    const named = (answers: readonly object[]) =>
      answers.map((answer, i) => ({ name: negatives[i]?.name, ...answer }))
    expect(named(refused)).toEqual(named(negatives.map(({ expected }) => ({ refused: expected }))))
  })

  it('seals the input of every positive vector into the same bytes', () => {
    const sealed = decodeJson(
      'encode',
      positives.map(({ file }) => file),
    )
    expect(sealed).toEqual(positives.map(({ output }) => output))
  })

  it('opens what the product seals', () => {
    const inputs = freshInputs()
    const files = write(inputs.map((input) => ({ input, output: sealInput(input) })))
    const expected = inputs.map(({ messages }) => ({ messages }))
    expect(decodeJson('open', files)).toEqual(expected)
  })

  it('seals what the product opens', async () => {
    const inputs = freshInputs()
    const outputs = decodeJson<VectorOutput>('encode', write(inputs.map((input) => ({ input }))))
    for (const [i, input] of inputs.entries()) {
      const output = outputs[i] as VectorOutput
      const place = placeOf({ name: '', about: '', input, output })
      expect(await verifyWhole(place)).toBe(input.messages.length)
      for (const [j, message] of input.messages.entries()) {
        const opened = await readByReference(place, output.references[j] as string)
        expect(comparable(opened)).toEqual(comparable(messageOf(message)))
      }
    }
  })

  it('refuses what somebody harmed with the code that the product gives', async () => {
    const places = harmed()
    const theirs = decodeJson<{ refused?: { code: string } }>('open', write(places))
    const outcomes = await Promise.all(places.map(outcomeOf))
    const differing = places.flatMap((place, i) => {
      const refused = theirs[i]?.refused
      const their = refused === undefined ? { opened: true } : { code: refused.code }
      const our = outcomes[i] as object
      return isDeepStrictEqual(our, their) ? [] : [JSON.stringify({ our, their, place })]
    })
    expect(differing).toEqual([])
  })

  it('comes to the accumulated vector', () => {
    const { sha256 }: AccumulatedVector = readAccumulated()
    expect(decode('accumulate', '1000')).toEqual([sha256['1000']])
  })
})
