import { randomBytes } from 'node:crypto'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { KeyFinder } from '../support/known-keys.ts'
import { LeakSearch } from '../support/leak-search.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const place = new SealingPlace('secrets')
const { directory } = place.stack
const MESSAGES = 400
const canary = (name: string) => Buffer.from(`${name}-${randomBytes(12).toString('hex')}`)
const canaries = {
  key: canary('key'),
  value: canary('value'),
  'header name': canary('name'),
  'header value': canary('content'),
}
/** Where ciphertext, rows, wrapped keys and logs are. Not Kafka's folder: it holds the plaintext. */
const folders = ['data/s3', 'data/cassandra', 'data/kms', 'logs'].map((at) => join(directory, at))
let kafka: KafkaFixture
/** Everything that the encryptor, at its most talkative, has written. */
let log: Buffer

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, 2)
  const records = numberedRecords(MESSAGES, 'plain').map((record) => ({
    ...record,
    key: canaries.key,
    value: Buffer.concat([record.value ?? Buffer.alloc(0), canaries.value]),
    headers: [[canaries['header name'], canaries['header value']] as const],
  }))
  const messages = await kafka.appendMany(place.topic, 2, records, 20)
  const window = { 'window.messagesMax': 150, 'window.outageFactor': 1 }
  const config = place.config({ 'log.level': 'trace', ...window })
  const encryptor = new EncryptorProcess(config)
  const ends = await kafka.ends(place.topic)
  await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
  const { code, stderr } = await encryptor.stop()
  expect(code).toBe(0)
  await expectSealedOnce(kafka, place, place.topic, messages)
  const kek = place.stack.kms.keyId
  const impact = await runCommand(['impact', '--config', config, '--kek', kek, '--list'])
  log = Buffer.from(stderr + impact.stdout + impact.stderr)
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

/** Folders of Kafka's partitions of a topic. */
function partitionFolders(topic: string): string[] {
  const data = join(directory, 'data', 'kafka')
  const own = readdirSync(data).filter((name) => name.replace(/-\d+$/, '') === topic)
  return own.map((name) => join(data, name))
}

describe('the search itself', () => {
  test('finds the canaries where they are: in the source topic, as Kafka keeps it', () => {
    const found = new LeakSearch(canaries).inFolders(...partitionFolders(place.topic))
    const raw = found.filter(({ form }) => form === 'raw').map(({ secret }) => secret)
    expect(new Set(raw)).toEqual(new Set(Object.keys(canaries)))
  })

  const plantedBehind = (before: number): [string, Buffer] => {
    const bytes = [Buffer.alloc(before, 'x'), canaries.value, Buffer.from('yz')]
    return [`base64 behind ${before}`, Buffer.from(Buffer.concat(bytes).toString('base64'))]
  }

  test.each<[form: string, planted: Buffer]>([
    ['raw', canaries.value],
    ['hex', Buffer.from(canaries.value.toString('hex'))],
    ...[0, 1, 2].map(plantedBehind),
  ])('finds a canary that was planted as %s', (form, planted) => {
    writeFileSync(join(place.folder, 'planted'), planted)
    const found = new LeakSearch(canaries).inFolders(place.folder)
    expect(found).toMatchObject([{ secret: 'value', form }])
  })

  test('reads the files that S3 and Cassandra wrote of this very run', async () => {
    const mark = new LeakSearch({ prefix: Buffer.from(place.prefix) })
    await expect
      .poll(() => mark.inFolders(join(directory, 'data/cassandra')), { timeout: 30_000 })
      .not.toEqual([])
    expect(mark.inFolders(join(directory, 'data/s3'))).not.toEqual([])
  })
})

describe('after a run', () => {
  test('no key, value, header name or header value is in storage, logs or references', () => {
    const search = new LeakSearch(canaries)
    const references = partitionFolders(`${place.topic}.sealed`)
    expect(references).toHaveLength(2)
    expect(search.inFolders(...folders, ...references)).toEqual([])
    expect(search.inBytes(log, 'log of the encryptor')).toEqual([])
  })

  test('no byte run of an unwrapped data key is in storage, logs or references', async () => {
    using finder = new KeyFinder(place)
    const keys = await finder.deks()
    expect(Object.keys(keys).length).toBeGreaterThanOrEqual(Math.ceil(MESSAGES / 150))
    expect(Object.values(keys).every(({ length }) => length === 32)).toBe(true)
    const search = new LeakSearch(keys)
    const references = partitionFolders(`${place.topic}.sealed`)
    expect(search.inFolders(...folders, ...references)).toEqual([])
    expect(search.inBytes(log, 'log of the encryptor')).toEqual([])
  })
})
