import { CreateBucketCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createS3Client } from '../../src/adapters/s3/s3-client.ts'
import { S3ObjectInventory } from '../../src/adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../../src/adapters/s3/s3-object-reader.ts'
import { FAILPOINT_VARIABLE, type Failpoint } from '../../src/failpoints.ts'
import type { Message } from '../../src/format/message.ts'
import { dekOfObject } from '../../src/reader/segment-holder.ts'
import { all } from '../contracts/mapping-store.contract.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { messages } from '../support/messages.ts'
import { numberedRecords } from '../support/records.ts'
import { hammerReferences } from '../support/reference-hammer.ts'
import { expectSealedOnce, type OpenedReference } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { expectVerified } from '../support/verified.ts'

const PARTITIONS = 2
const SMALL = 6_000
/** Larger than a part: their segments are written in several. */
const LARGE = 16
const LARGE_BYTES = 1_000_000
const BUCKET = 'reencryption-versions'
/** Moments that differ most in what the next one finds; test/faults goes through all of them. */
const KILLED_AT: readonly Failpoint[] = [
  'after-replacing-intent',
  'after-reseal-put',
  'after-reseal-complete',
  'after-old-version',
  'before-replaced-mark',
]

const stack = inject('stack')
const place = new SealingPlace('reencrypt', 1, undefined, {
  ...stack,
  s3: { ...stack.s3, bucket: BUCKET },
})
const s3 = { ...place.stack.s3, forcePathStyle: true, requestTimeoutMs: 30_000 }
const inventory = new S3ObjectInventory(s3)
const objects = new S3ObjectReader(s3)
let kafka: KafkaFixture
let config: string

beforeAll(async () => {
  const client = createS3Client(s3, 1)
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await client.send(new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration }))
  client.destroy()
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
  config = place.config({ 'segment.messagesMax': 1_000, 'part.bytesMax': '5MiB' })
})

afterAll(async () => {
  await Promise.all([kafka.close(), inventory.close(), objects.close()])
  place.remove()
})

async function seal(): Promise<OpenedReference[]> {
  const small = numberedRecords(SMALL, 'reencrypt')
  const appended: Message[] = await kafka.appendMany(place.topic, PARTITIONS, small, 500)
  const value = Buffer.alloc(LARGE_BYTES, 7)
  const large = messages(LARGE, { value })
  appended.push(...(await kafka.appendMany(place.topic, PARTITIONS, large, 4)))
  const encryptor = new EncryptorProcess(config)
  const isDone = async () =>
    kafka.hasReached(place.groupId, place.topic, await kafka.ends(place.topic))
  await encryptor.until('done', isDone)
  expect(await encryptor.stop()).toMatchObject({ code: 0 })
  return expectSealedOnce(kafka, place, place.topic, appended)
}

const reencrypt = (dekId: string, env: Readonly<Record<string, string>> = {}) =>
  runCommand(['reencrypt', '--dek', dekId, '--yes', '--json', '--config', config], env)

async function segmentsOf(dekId: string): Promise<Readonly<Record<string, number>>> {
  const args = ['impact', '--dek', dekId, '--json', '--config', config]
  const { code, stdout } = await runCommand(args)
  expect(code).toBe(0)
  return JSON.parse(stdout).segments
}

test('under readers and kills, every reference stays valid and nothing of the old is left', async () => {
  const opened = await seal()
  const objectKeys = [...new Set(opened.map(({ reference }) => reference.object))]
  const dekId = (await dekOfObject(objects, objectKeys[0] as string)) as string
  const before = await segmentsOf(dekId)
  expect(before).toMatchObject({ published: objectKeys.length, replaced: 0 })

  const stopHammer = hammerReferences(place, opened)
  for (const label of KILLED_AT) {
    const killed = await reencrypt(dekId, { [FAILPOINT_VARIABLE]: `${label}:exit` })
    expect(killed, label).toMatchObject({ signal: 'SIGKILL' })
  }
  const rivals = await Promise.all([reencrypt(dekId), reencrypt(dekId)])
  const { opened: count, failures } = await stopHammer()

  for (const { code, stderr } of rivals) expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(failures).toEqual([])
  expect(count).toBeGreaterThan(500)
  expect(await segmentsOf(dekId)).toMatchObject({ published: 0, replaced: objectKeys.length })
  const versions = await all(inventory.objects(`${place.prefix}/segments/`))
  expect(versions.map(({ key }) => key).sort()).toEqual(objectKeys.sort())
  for (const key of objectKeys) expect(await dekOfObject(objects, key)).not.toBe(dekId)
  const { segments, done } = JSON.parse((await reencrypt(dekId)).stdout).plan
  expect({ segments, done }).toEqual({ segments: 0, done: objectKeys.length })
  await expectVerified(place, { config })
})
