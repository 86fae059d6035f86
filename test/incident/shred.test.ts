import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isSealError } from '../../src/errors.ts'
import { FAILPOINT_VARIABLE, SHRED_FAILPOINTS } from '../../src/failpoints.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const PARTITIONS = 2
const MESSAGES = 60
const place = new SealingPlace('shred')
const signingKey = join(place.folder, 'signing-key.pem')
let kafka: KafkaFixture
let config: string
let references: readonly Reference[]
let fingerprint: string

/** No upload is left open here; a unit test has one. */
const labels = SHRED_FAILPOINTS.filter((label) => !label.endsWith('-shred-upload'))

function sealstream(args: readonly string[], env: Record<string, string> = {}) {
  return runCommand([...args, '--config', config], env)
}

/** By reference: the code of its failure, or `open`. */
async function opened(): Promise<string[]> {
  const reader = place.reader()
  try {
    const outcomes = await reader.tryReferences(references)
    return outcomes.map((one) => (isSealError(one) ? one.code : 'open'))
  } finally {
    await reader.close()
  }
}

async function receipt(file: string) {
  const verified = await runCommand([
    'certificate',
    'verify',
    file,
    '--fingerprint',
    fingerprint,
    '--json',
  ])
  expect([verified.code, verified.stderr]).toEqual([0, ''])
  return JSON.parse(verified.stdout).predicate
}

async function expectConsistent(shredded: number) {
  const { code, stdout } = await sealstream(['verify', '--json'])
  expect([code, JSON.parse(stdout).counts.shredded]).toEqual([0, shredded])
}

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
  config = place.config({
    ...{ 'segment.messagesMax': 10, 'window.messagesMax': 20 },
    'certificate.signingKeyFile': signingKey,
  })
  const made = await runCommand(['certificate', 'new-key', '--out', signingKey, '--json'])
  fingerprint = JSON.parse(made.stdout).fingerprint
  await kafka.appendMany(place.topic, PARTITIONS, numberedRecords(MESSAGES, 'shred'), 10)
  const encryptor = new EncryptorProcess(config)
  await encryptor.ready()
  const ends = await kafka.ends(place.topic)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
  await encryptor.stop()
  references = (await kafka.references(place.topic)).map(({ reference }) => reference)
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

test('one message is destroyed inside of its segment, and all others open as before', async () => {
  const { topic, partition, offset } = references[3] as Reference
  const range = ['--topic', topic, '--partition', `${partition}`, '--offsets', `${offset}`]
  const planned = await sealstream(['shred', ...range])
  expect([planned.code, planned.stdout]).toEqual([
    0,
    expect.stringContaining('1 messages in 1 segments would be destroyed'),
  ])
  const out = join(place.folder, 'message.receipt.json')
  const args = ['shred', ...range, '--reason', 'GDPR 4711', '--yes', '--out', out]
  const done = await sealstream(args)
  expect([done.code, done.stderr]).toEqual([0, ''])
  const codes = await opened()
  expect(codes[3]).toBe('SEAL_SHREDDED')
  expect(codes.filter((code) => code === 'open')).toHaveLength(MESSAGES - 1)
  expect(await receipt(out)).toMatchObject({
    ...{ messages: 1, segments: 1, reason: 'GDPR 4711', remaining: [], deks: [] },
    ranges: [{ topic, partition, firstOffset: offset, lastOffset: offset }],
  })
  await expectConsistent(1)
})

test.each(['before', 'after'])(
  'a data key that is shredded, killed %s every step, is gone from all its places in the end',
  async (moment) => {
    const codesBefore = await opened()
    const shreddedBefore = codesBefore.filter((code) => code === 'SEAL_SHREDDED').length
    const at = codesBefore.lastIndexOf('open')
    const { object } = references[at] as Reference
    const inspected = await sealstream(['inspect', object, '--json'])
    const { dekId } = JSON.parse(inspected.stdout) as { dekId: string }
    const out = join(place.folder, `${moment}.receipt.json`)
    const args = ['shred', '--dek', dekId, '--reason', 'leaked', '--yes', '--out', out, '--json']
    for (const label of labels.filter((one) => one.startsWith(moment))) {
      const { signal } = await sealstream(args, { [FAILPOINT_VARIABLE]: `${label}:exit` })
      expect(signal, label).toBe('SIGKILL')
    }
    const last = await sealstream(args)
    expect([last.code, last.stderr]).toEqual([0, ''])
    const { messages, segments } = JSON.parse(last.stdout) as { messages: number; segments: number }
    const codes = await opened()
    const shredded = codes.filter((code) => code === 'SEAL_SHREDDED').length
    expect([codes[at], shredded - shreddedBefore]).toEqual(['SEAL_SHREDDED', messages])
    expect(codes.filter((code) => code === 'open')).toHaveLength(MESSAGES - shredded)
    expect(await receipt(out)).toMatchObject({ deks: [dekId], messages, segments, remaining: [] })
    expect(readFileSync(out, 'utf8')).not.toContain('wrapped')
    await expectConsistent(shredded)
    const [impact, shown, rebuilt] = await Promise.all([
      sealstream(['impact', '--dek', dekId, '--json']),
      sealstream(['keys', 'show', dekId, '--json']),
      sealstream(['rebuild-index', '--dry-run', '--json']),
    ])
    expect(JSON.parse(impact.stdout)).toMatchObject({ messages, segments: { shredded: segments } })
    expect(shown.stdout).toContain('"kind":"shredded"')
    expect(JSON.parse(rebuilt.stdout).found).toMatchObject({ extraSegment: 0, missingDek: 0 })
  },
)

test('a key domain takes along every data key, and what is on no record is refused', async () => {
  const out = join(place.folder, 'domain.receipt.json')
  const about = ['--reason', 'contract ended', '--yes', '--out', out]
  const unknown = await sealstream(['shred', '--domain', 'nobody', ...about])
  expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('SEAL_KEY_UNKNOWN')])
  const done = await sealstream(['shred', '--domain', place.topic, ...about])
  expect([done.code, done.stderr]).toEqual([0, ''])
  expect(new Set(await opened())).toEqual(new Set(['SEAL_SHREDDED']))
  expect((await receipt(out)).messages).toBe(MESSAGES)
  await expectConsistent(MESSAGES)
})
