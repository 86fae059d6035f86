import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { toolCommand } from '../../docker/stack/prerequisites.ts'
import { type CipherEngine, selectEngine } from '../../src/crypto/cipher-engine.ts'
import { hkdfSha512 } from '../../src/crypto/hkdf.ts'
import { hmac } from '../../src/crypto/hmac.ts'
import { SecretBytes } from '../../src/crypto/secret-bytes.ts'
import { FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES, TAG_BYTES } from '../../src/format/frame.ts'
import { cachedPart } from '../support/cached-part.ts'
import { readJson } from './vector-files.ts'

const INSTALL_WAIT_MS = 5 * 60_000
const VERSION = 'v0.0.0-20260105152342-fca0d3ba9f12'
const MODULE = `github.com/c2sp/wycheproof@${VERSION}`
/** What the module must hash to, as `go.sum` would say it. */
const SUM = 'h1:C34LW7dhWgjAaAOdNB8z2UCyJsXDjC6UTILljHuqOlI='
const SETS = ['aes_gcm_test.json', 'hkdf_sha512_test.json', 'hmac_sha512_256_test.json']

interface Case {
  readonly tcId: number
  readonly result: 'valid' | 'invalid'
}

interface GcmCase extends Case {
  readonly key: string
  readonly iv: string
  readonly aad: string
  readonly msg: string
  readonly ct: string
  readonly tag: string
}

interface HkdfCase extends Case {
  readonly ikm: string
  readonly salt: string
  readonly info: string
  readonly size: number
  readonly okm: string
}

interface HmacCase extends Case {
  readonly key: string
  readonly msg: string
  readonly tag: string
}

const engines = await Promise.all(
  (['node', 'openssl'] as const).map(async (name) => (await selectEngine(name)).engine),
)
let folder: string

beforeAll(async () => {
  folder = await cachedPart({
    folder: `wycheproof-${VERSION}`,
    proof: SETS.at(-1) as string,
    tool: 'go',
    build: fetchSets,
  })
}, INSTALL_WAIT_MS)

async function fetchSets(into: string): Promise<void> {
  const args = ['mod', 'download', '-json', MODULE]
  const { stdout } = await promisify(execFile)(toolCommand('go'), args, { cwd: into })
  const { Dir, Sum } = JSON.parse(stdout) as { Dir: string; Sum: string }
  expect(Sum).toBe(SUM)
  for (const name of SETS) cpSync(join(Dir, 'testvectors_v1', name), join(into, name))
}

function casesOf<T extends Case>(set: string): readonly T[] {
  const { testGroups } = readJson<{ testGroups: { tests: T[] }[] }>(join(folder, set))
  return testGroups.flatMap(({ tests }) => tests)
}

const bytes = (hex: string) => Buffer.from(hex, 'hex')
const isOurs = ({ key, iv }: GcmCase) => key.length === 64 && iv.length === 24

/** A cipher whose nonce for `seq` is the IV of the case: base nonce = IV XOR seq. */
function cipherOf(engine: CipherEngine, { key, iv }: GcmCase, seq: number) {
  const baseNonce = bytes(iv)
  if (baseNonce.length >= 4) {
    const at = baseNonce.length - 4
    baseNonce.writeUInt32BE((baseNonce.readUInt32BE(at) ^ seq) >>> 0, at)
  }
  return engine.create({ frameKey: SecretBytes.takeFrom(bytes(key)), baseNonce })
}

/** A frame with a header of zeros, which the cipher does not touch, and `text` and `tag` in it. */
function frameOf(text: string, tag: string): Buffer {
  const head = Buffer.alloc(FRAME_HEADER_BYTES)
  return Buffer.concat([head, bytes(text), Buffer.concat([bytes(tag)], TAG_BYTES)])
}

/** The codes or texts that all cases end in, with how often. */
function tally<T>(cases: readonly T[], run: (one: T) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const one of cases) {
    const outcome = run(one)
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return counts
}

function sealed(engine: CipherEngine, one: GcmCase, seq: number): string {
  using cipher = cipherOf(engine, one, seq)
  const frame = frameOf(one.msg, '')
  cipher.seal(frame, 0, frame.length, seq, bytes(one.aad))
  return frame.equals(frameOf(one.ct, one.tag)) ? 'as written' : `case ${one.tcId} differs`
}

function opened(engine: CipherEngine, one: GcmCase, seq: number): string {
  try {
    using cipher = cipherOf(engine, one, seq)
    const frame = frameOf(one.ct, one.tag)
    expect(frame.length).toBe(one.ct.length / 2 + FRAME_OVERHEAD_BYTES)
    const parcel = cipher.open(frame, 0, frame.length, seq, bytes(one.aad))
    return parcel.equals(bytes(one.msg)) ? 'opened' : `case ${one.tcId} differs`
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe.each(engines)('Wycheproof AES-GCM with the engine $name', (engine) => {
  // Base nonce and seq are chosen so that together they give the IV of the case.
  it.each([0, 1, 0x8000_0001, 0xffff_ffff])('agrees on our form of it, seq %i', (seq) => {
    const cases = casesOf<GcmCase>('aes_gcm_test.json').filter(isOurs)
    const valid = cases.filter(({ result }) => result === 'valid')
    const invalid = cases.filter(({ result }) => result === 'invalid')
    expect(tally(valid, (one) => sealed(engine, one, seq))).toEqual({ 'as written': 39 })
    expect(tally(valid, (one) => opened(engine, one, seq))).toEqual({ opened: 39 })
    expect(tally(invalid, (one) => opened(engine, one, seq))).toEqual({ SEAL_OPEN_FAILED: 27 })
  })

  // Valid AES-GCM, but not our suite: 256-bit keys and 96-bit nonces are all there is. A tag of
  // another length cannot even be said: the last 16 bytes of a frame are its tag.
  it('refuses every other length of key and nonce, valid or not', () => {
    const cases = casesOf<GcmCase>('aes_gcm_test.json').filter((one) => !isOurs(one))
    expect(cases.filter(({ result }) => result === 'valid').length).toBe(190)
    const refused = { SEAL_MALFORMED: cases.length }
    expect(tally(cases, (one) => opened(engine, one, 0))).toEqual(refused)
  })
})

describe('Wycheproof HKDF-SHA512', () => {
  it('agrees with the function that segment keys are derived with', () => {
    const outcomes = tally(casesOf<HkdfCase>('hkdf_sha512_test.json'), (one) => {
      const { ikm, salt, info, size, okm, result } = one
      try {
        const derived = hkdfSha512(bytes(ikm), bytes(salt), bytes(info), size)
        return Buffer.from(derived).equals(bytes(okm))
          ? `${result}: derived`
          : `case ${one.tcId} differs`
      } catch {
        return `${result}: refused`
      }
    })
    expect(outcomes).toEqual({ 'valid: derived': 80, 'invalid: refused': 3 })
  })
})

describe('Wycheproof HMAC-SHA512/256', () => {
  it('agrees with the function that footers are tagged with', () => {
    const outcomes = tally(casesOf<HmacCase>('hmac_sha512_256_test.json'), (one) => {
      const tag = Buffer.from(hmac('sha512-256', bytes(one.key), bytes(one.msg))).toString('hex')
      return `${one.result}: ${tag.startsWith(one.tag) ? 'the tag' : 'another tag'}`
    })
    expect(outcomes).toEqual({ 'valid: the tag': 66, 'invalid: another tag': 109 })
  })
})
