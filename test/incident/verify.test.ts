import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type CassandraConnection,
  connectCassandra,
} from '../../src/adapters/cassandra/connection.ts'
import { uuidBytes } from '../../src/adapters/cassandra/ids.ts'
import { CassandraSegmentRegister } from '../../src/adapters/cassandra/segment-register.ts'
import { systemClock } from '../../src/clock.ts'
import type { Reference } from '../../src/format/reference-value.ts'
import type { SegmentEntry } from '../../src/mapping/mapping-store.ts'
import { CommandLineProcess, EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords, oddRecords } from '../support/records.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { expectVerified, verifyPlace } from '../support/verified.ts'

const PARTITIONS = 3
const COUNT = 2_000
const FEW = 60
/** The two odd records that are larger are set aside. */
const SETTINGS = { 'message.bytesMax': '32KiB', 'message.onUnsealable': 'quarantine' }
/** A topic for each thing that is broken, so that they do not mix. */
const BROKEN = ['doubled', 'stray', 'row', 'gone', 'swapped', 'swept', 'directory', 'back'] as const
const place = new SealingPlace('verify', 2 + BROKEN.length)
const [topic, oddTopic, ...others] = place.topics as [string, string, ...string[]]
const topicOf = (what: (typeof BROKEN)[number]) => others[BROKEN.indexOf(what)] as string
const Bucket = place.stack.s3.bucket
let kafka: KafkaFixture
let s3: S3Client
let cassandra: CassandraConnection
let config: string

beforeAll(async () => {
  const { accessKeyId, secretAccessKey, ...service } = place.stack.s3
  const credentials = { accessKeyId, secretAccessKey }
  s3 = new S3Client({ ...service, credentials, forcePathStyle: true })
  kafka = await KafkaFixture.connect()
  for (const one of place.topics) await kafka.createTopic(one, PARTITIONS)
  await kafka.appendMany(topic, PARTITIONS, numberedRecords(COUNT, 'plain'), 100)
  await kafka.append({ topic: oddTopic, partition: 0 }, oddRecords)
  for (const one of others) {
    await kafka.appendMany(one, PARTITIONS, numberedRecords(FEW, 'plain'), 10)
  }
  // One lane and a domain for each topic: every topic has segments of its own.
  config = place.config({ ...SETTINGS, 'kafka.lanes': 1 })
  const encryptor = new EncryptorProcess(config)
  for (const one of place.topics) {
    const ends = await kafka.ends(one)
    await encryptor.until('done', () => kafka.hasReached(place.groupId, one, ends))
  }
  expect((await encryptor.stop()).code).toBe(0)
  const { contactPoints, localDatacenter } = place.stack.cassandra
  const { keyspace } = place
  cassandra = await connectCassandra({
    ...{ contactPoints, localDatacenter, keyspace, requestTimeoutMs: 10_000 },
  })
})

afterAll(async () => {
  s3.destroy()
  await cassandra.close()
  await kafka.close()
  place.remove()
})

/** What is wrong with one topic and the bucket, as counts that are not zero. */
async function wrongOf(one: string, ...args: string[]) {
  const { code, wrong, findings } = await verifyPlace(place, { config, args: [one, ...args] })
  expect(findings.length).toBeGreaterThan(0)
  const some = Object.entries(wrong).filter(([, count]) => count > 0)
  return { code, findings, wrong: Object.fromEntries(some) }
}

async function referencesOf(one: string): Promise<Reference[]> {
  return (await kafka.references(one)).map(({ reference }) => reference)
}

async function segmentOf({ object }: Reference): Promise<SegmentEntry> {
  for await (const entry of new CassandraSegmentRegister(cassandra).segments()) {
    if (entry.objectKey === object) return entry
  }
  throw new Error(`no intent names ${object}`)
}

async function publish(one: string, partition: number, reference: Reference): Promise<void> {
  const producer = await kafka.producer()
  const value = JSON.stringify({ v: 1, ...reference })
  await producer.send({ topic: `${one}.sealed`, messages: [{ key: null, value, partition }] })
}

describe('sealstream verify', () => {
  test('finds nothing wrong in what encryptors leave, odd messages and those set aside included', async () => {
    const all = COUNT + oddRecords.length + FEW * BROKEN.length
    const setAside = oddRecords.filter(
      ({ key, value }) => (key?.length ?? 0) + (value?.length ?? 0) > 32 * 1024,
    ).length
    expect(setAside).toBe(2)
    const counts = await expectVerified(place, { config })
    expect(counts).toMatchObject({
      ...{ messages: all, references: all - setAside, openedEqual: all - setAside, setAside },
      ...{ openedAlone: 0, shredded: 0, messageGone: 0, referenceGone: 0, notSealedYet: 0 },
      ...{ unreferencedObjects: 0 },
    })
    expect(counts.segments).toBe(counts.objects)
  })

  test('says so in a table, with or without opening', async () => {
    const { code, stdout, stderr } = await runCommand(['verify', '--config', config, topic])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^messages +2,000\nreferences +2,000\nopened equal +2,000\nlost +0\n/)
    expect(stdout).toMatch(/\nnothing is wrong\n$/)
    const nowhere = 'http://127.0.0.1:9'
    const keyless = place.config({ ...SETTINGS, 'kms.aws.endpoint': nowhere })
    const closed = await runCommand(['verify', '--no-open', '--config', keyless, topic])
    expect({ code: closed.code, stderr: closed.stderr }).toEqual({ code: 0, stderr: '' })
    expect(closed.stdout).toMatch(/^opened equal +not opened$/m)
    const open = await runCommand(['verify', '--config', keyless, topic])
    expect(open.code).toBe(1)
    expect(open.stderr).toMatch(/\[SEAL_KMS_UNAVAILABLE\]\n$/)
  })

  test('may run beside an encryptor at work', async () => {
    const encryptor = new EncryptorProcess(config)
    await encryptor.ready()
    let isOver = false
    const producing = (async () => {
      for (let batch = 0; !isOver && batch < 200; batch++) {
        await kafka.appendMany(topic, PARTITIONS, numberedRecords(300, 'live'), 100)
        await systemClock.sleep(100)
      }
    })()
    try {
      for (let round = 1; round <= 3; round++) {
        const counts = await expectVerified(place, { config })
        expect(counts.openedEqual).toBe(counts.messages - counts.setAside)
      }
    } finally {
      isOver = true
      await producing
    }
    const ends = await kafka.ends(topic)
    await encryptor.until('done', () => kafka.hasReached(place.groupId, topic, ends))
    expect((await encryptor.stop()).code).toBe(0)
    expect((await expectVerified(place, { config })).notSealedYet).toBe(0)
  })

  test('ends at Ctrl-C with what it has, whatever a service is waited for', async () => {
    const asked = Promise.withResolvers<void>()
    const mute = createServer(() => asked.resolve()).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const endpoint = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`
    const stuck = place.config({ ...SETTINGS, 's3.endpoint': endpoint })
    const args = ['verify', '--no-open', '--config', stuck, topic]
    const command = new CommandLineProcess(args)
    await asked.promise
    command.kill('SIGINT')
    const { code, stdout } = await command.ended
    mute.closeAllConnections()
    mute.close()
    expect(code).toBe(130)
    expect(stdout).toMatch(/\nstopped before the end; up to here nothing is wrong\n$/)
  })

  test('cannot check what is not there: exit code 1', async () => {
    const absent = place.config({ ...SETTINGS, 'kafka.topics': ['nowhere'] })
    const { code, stdout, stderr } = await runCommand(['verify', '--config', absent])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe('sealstream: no topic nowhere [SEAL_TOPIC_MISSING]\n')
  })

  test('refuses a topic that the configuration does not name: nothing would be found wrong there', async () => {
    const references = `${topic}.sealed`
    const { code, stdout, stderr } = await runCommand(['verify', '--config', config, references])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/no source topic of the configuration, .*\[SEAL_INPUT_INVALID\]\n$/)
  })
})

describe('sealstream verify finds', () => {
  test('a reference that was published twice', async () => {
    const one = topicOf('doubled')
    const [reference] = await referencesOf(one)
    await publish(one, reference?.partition ?? 0, reference as Reference)
    const { code, wrong, findings } = await wrongOf(one)
    expect({ code, wrong }).toEqual({ code: 5, wrong: { doubled: 1 } })
    const { partition, offset, object } = reference as Reference
    expect(findings).toMatchObject([{ kind: 'doubled', topic: one, partition, offset, object }])
    const told = await runCommand(['verify', '--config', config, one])
    expect(told.code).toBe(5)
    expect(told.stdout).toContain(
      `\ndoubled: ${one}/${partition} offset ${offset} in ${object}: another reference speaks for the same message\n`,
    )
    expect(told.stdout).not.toContain('plain')
  })

  test('a reference on another partition, and one for no message', async () => {
    const one = topicOf('stray')
    const [reference] = await referencesOf(one)
    await publish(one, ((reference?.partition ?? 0) + 1) % PARTITIONS, reference as Reference)
    await publish(one, 0, { ...(reference as Reference), partition: 0, offset: 12_345 })
    const { code, wrong } = await wrongOf(one)
    expect({ code, wrong }).toEqual({ code: 5, wrong: { stray: 2 } })
  })

  test('a mapping row that is gone', async () => {
    const one = topicOf('row')
    const reference = (await referencesOf(one)).at(-1) as Reference
    const { dekId, segmentId } = await segmentOf(reference)
    const { partition, offset, object } = reference
    await cassandra.execute(
      `DELETE FROM message_encryption_map WHERE dek_id = ? AND segment_id = ?
       AND topic = ? AND partition = ${partition} AND offset = ${offset}`,
      [uuidBytes(dekId), uuidBytes(segmentId), one],
    )
    const { code, wrong, findings } = await wrongOf(one)
    expect({ code, wrong }).toEqual({ code: 5, wrong: { unmapped: 1 } })
    expect(findings).toMatchObject([{ kind: 'unmapped', topic: one, partition, offset, object }])
  })

  test('a segment that was swept though it is referenced', async () => {
    const one = topicOf('swept')
    const references = await referencesOf(one)
    const { dekId, segmentId, objectKey } = await segmentOf(references[0] as Reference)
    await new CassandraSegmentRegister(cassandra).markSwept({ dekId, segmentId }, Date.now())
    const { code, findings } = await wrongOf(one)
    expect(code).toBe(5)
    expect(findings).toMatchObject([{ kind: 'swept', object: objectKey, dekId }])
  })

  test('a DEK that is not in the key directory', async () => {
    const one = topicOf('directory')
    const { dekId } = await segmentOf((await referencesOf(one))[0] as Reference)
    const Key = `${place.prefix}/deks/${dekId}.json`
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: '{"v":1}\n' }))
    const { wrong } = await wrongOf(one)
    expect(wrong).toEqual({ keyRecord: 1 })
    await s3.send(new DeleteObjectCommand({ Bucket, Key }))
    const { code, findings } = await wrongOf(one)
    expect(code).toBe(5)
    expect(findings).toMatchObject([{ kind: 'keyRecord', dekId }])
  })

  test('an object with the bytes of another', async () => {
    const one = topicOf('swapped')
    const object = (await referencesOf(one))[0]?.object as string
    const other = (await referencesOf(topic))[0]?.object as string
    const { Body, Metadata } = await s3.send(new GetObjectCommand({ Bucket, Key: other }))
    const bytes = (await Body?.transformToByteArray()) ?? Buffer.alloc(0)
    const metadata = Metadata ?? {}
    await s3.send(new PutObjectCommand({ Bucket, Key: object, Body: bytes, Metadata: metadata }))
    const { code, wrong, findings } = await wrongOf(one)
    const hit = (await referencesOf(one)).filter((reference) => reference.object === object)
    expect({ code, wrong }).toEqual({ code: 5, wrong: { altered: hit.length } })
    for (const finding of findings) expect(finding).toMatchObject({ topic: one, object })
  })

  test('messages that the group has passed and nobody has sealed', async () => {
    const group = `${place.groupId}-second`
    const partitions = [{ partition: 0, offset: '17' }]
    const one = `${place.name}-unsealed`
    await kafka.createTopic(one, 1)
    await kafka.append({ topic: one, partition: 0 }, numberedRecords(20, 'plain'))
    await kafka.admin.setOffsets({ groupId: group, topic: one, partitions })
    const changes = { 'kafka.groupId': group, 'kafka.topics': [one] }
    const second = place.config({ ...SETTINGS, ...changes })
    const { code, counts, findings } = await verifyPlace(place, { config: second, args: [one] })
    expect(code).toBe(5)
    expect(counts).toMatchObject({ messages: 17, notSealedYet: 3 })
    expect(findings).toMatchObject([
      { kind: 'lost', topic: one, partition: 0, offset: 0, lastOffset: 16, count: 17 },
    ])
  })

  test('a committed offset that was set back', async () => {
    const one = topicOf('back')
    const partitions = [{ partition: 1, offset: '5' }]
    await kafka.admin.setOffsets({ groupId: place.groupId, topic: one, partitions })
    const { code, findings } = await wrongOf(one)
    expect(code).toBe(5)
    const last = FEW / PARTITIONS - 1
    expect(findings).toMatchObject([
      { kind: 'uncommitted', topic: one, partition: 1, offset: 5, lastOffset: last },
    ])
  })

  test('an object that nobody named, and an upload', async () => {
    const object = `${place.prefix}/segments/orders/forgotten.seal`
    await s3.send(new PutObjectCommand({ Bucket, Key: object, Body: 'x' }))
    const upload = `${place.prefix}/segments/orders/begun.seal`
    await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: upload }))
    const { code, wrong, findings } = await wrongOf(topic)
    expect({ code, wrong }).toEqual({ code: 5, wrong: { unnamedObject: 1, unnamedUpload: 1 } })
    expect(findings).toMatchObject([
      { kind: 'unnamedObject', object },
      { kind: 'unnamedUpload', object: upload },
    ])
  })

  test('an object that is gone, also where frames are not opened', async () => {
    const one = topicOf('gone')
    const object = (await referencesOf(one))[0]?.object as string
    const hit = (await referencesOf(one)).filter((reference) => reference.object === object)
    await s3.send(new DeleteObjectCommand({ Bucket, Key: object }))
    for (const args of [[], ['--no-open']]) {
      const { code, wrong } = await wrongOf(one, ...args)
      expect(code).toBe(5)
      expect(wrong).toMatchObject({ dangling: hit.length })
    }
  })
})
