import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { parcelBytes } from '../../src/format/parcel.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { message } from '../support/messages.ts'
import { numberedRecords, record } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import type { ConfigChanges, SealingPlace } from '../support/sealing-place.ts'
import { sealingScene } from '../support/sealing-scene.ts'

const KIB = 1024
const MIB = 1024 * KIB
const LARGE_TOPIC = { 'max.message.bytes': String(20 * MIB) }
const shared = sealingScene()

/** Seals until `count` messages are packed, then lets the process drain. */
async function seal(place: SealingPlace, count: number, changes: ConfigChanges): Promise<string> {
  const config = place.config(changes)
  const encryptor = new EncryptorProcess(config)
  await encryptor.until(
    `at ${count} messages`,
    async () => (await encryptor.metric('sealstream_packed_messages_total')) >= count,
  )
  expect((await encryptor.stop()).code).toBe(0)
  return config
}

describe('what is large', () => {
  test('a segment of several parts is one multipart upload and opens like any other', async () => {
    const place = await shared.newPlace('parts', 2)
    const records = numberedRecords(140, 'large', 300 * KIB)
    const messages = await shared.kafka.appendMany(place.topic, 2, records, 3)
    await seal(place, messages.length, { 'segment.ageMs': '30s' })

    const opened = await expectSealedOnce(shared.kafka, place, place.topic, messages)
    const objects = new Set(opened.map(({ reference }) => reference.object))
    const [Key] = objects
    const { bucket: Bucket, accessKeyId, secretAccessKey, ...service } = place.stack.s3
    const credentials = { accessKeyId, secretAccessKey }
    const client = new S3Client({ ...service, credentials, forcePathStyle: true })
    const { ETag } = await client.send(new HeadObjectCommand({ Bucket, Key }))
    client.destroy()
    expect(objects.size).toBeLessThanOrEqual(2)
    expect(ETag).toMatch(/-[3-9]"$/)
  })

  test('a message of exactly message.bytesMax passes', async () => {
    const place = await shared.newPlace('largest', 1, LARGE_TOPIC)
    const headers = [[Buffer.from('name'), Buffer.from('value')]] as const
    const overhead = parcelBytes(message({ headers, value: Buffer.alloc(0) }))
    const largest = record({ headers, value: Buffer.alloc(16 * MIB - overhead, 'largest ') })
    const messages = await shared.kafka.appendMany(place.topic, 1, [record(), largest, record()], 1)
    expect(messages.map(parcelBytes)[1]).toBe(16 * MIB)
    await seal(place, messages.length, { 'message.bytesMax': '16MiB' })
    await expectSealedOnce(shared.kafka, place, place.topic, messages)
  })
})

describe('a window of 500 messages', () => {
  test('gives every object one data key, and no data key more than 500 messages', async () => {
    const place = await shared.newPlace('windows', 4)
    const messages = await shared.kafka.appendMany(
      place.topic,
      4,
      numberedRecords(5_200, 'window'),
      130,
    )
    const config = await seal(place, messages.length, {
      'window.messagesMax': 500,
      'window.outageFactor': 1,
      'segment.messagesMax': 180,
      'cassandra.keyspace': `t_${place.name.replaceAll('-', '_')}`,
    })
    await expectSealedOnce(shared.kafka, place, place.topic, messages)

    const kek = place.stack.kms.keyId
    const { stdout } = await runCommand(['impact', '--config', config, '--kek', kek, '--list'])
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows).toHaveLength(messages.length)
    const byDek = [...Map.groupBy(rows, ({ dekId }) => dekId).values()]
    expect(byDek.length).toBeGreaterThanOrEqual(Math.ceil(messages.length / 500))
    expect(Math.max(...byDek.map((own) => own.length))).toBeLessThanOrEqual(500)
    for (const own of Map.groupBy(rows, ({ object }) => object).values()) {
      expect(new Set(own.map(({ dekId }) => dekId)).size).toBe(1)
    }
  })
})
