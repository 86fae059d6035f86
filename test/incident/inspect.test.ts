import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Reference } from '../../src/format/reference-value.ts'
import { takeApart, withFlippedBit } from '../support/altered-segment.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const KIB = 1024
const SMALL_COUNT = 40
/** Three parts. */
const LARGE_COUNT = 60
const OTHER_KEY = '00000000-0000-4000-8000-00000000dead'
const place = new SealingPlace('inspect', 2)
const [smallTopic, largeTopic] = place.topics as [string, string]
let kafka: KafkaFixture
let s3: S3Client
let config: string
let small: Reference[]
let large: Reference[]

beforeAll(async () => {
  const { accessKeyId, secretAccessKey, ...service } = place.stack.s3
  s3 = new S3Client({
    ...service,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  })
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(smallTopic, 2)
  await kafka.createTopic(largeTopic, 1)
  await kafka.appendMany(smallTopic, 2, numberedRecords(SMALL_COUNT, 'plain'), 10)
  await kafka.appendMany(largeTopic, 1, numberedRecords(LARGE_COUNT, 'plain', 300 * KIB), 3)
  // One lane and a long age: every topic becomes one segment, ended by the drain.
  config = place.config({ 'segment.ageMs': '30s', 'kafka.lanes': 1 })
  const encryptor = new EncryptorProcess(config)
  await encryptor.until(
    'done packing',
    async () =>
      (await encryptor.metric('sealstream_packed_messages_total')) >= SMALL_COUNT + LARGE_COUNT,
  )
  expect((await encryptor.stop()).code).toBe(0)
  small = await referencesOf(smallTopic)
  large = await referencesOf(largeTopic)
})

afterAll(async () => {
  s3.destroy()
  await kafka.close()
  place.remove()
})

async function referencesOf(topic: string): Promise<Reference[]> {
  const references = (await kafka.references(topic)).map(({ reference }) => reference)
  expect(new Set(references.map(({ object }) => object)).size).toBe(1)
  return references.sort((a, b) => a.position - b.position)
}

const objectOf = ([first]: readonly Reference[]) => (first as Reference).object
const inspect = (...args: string[]) => runCommand(['inspect', '--config', config, ...args])
const jsonLines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

/** Puts a changed copy of an object beside it and returns its key. */
async function tampered(
  references: readonly Reference[],
  change: (bytes: Buffer) => Buffer,
): Promise<string> {
  const { bucket: Bucket } = place.stack.s3
  const Key = objectOf(references)
  const { Body, Metadata } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
  const copy = `${place.prefix}/tampered/${Key.slice(Key.lastIndexOf('/') + 1)}`
  await s3.send(new PutObjectCommand({ Bucket, Key: copy, Body: change(bytes), Metadata }))
  return copy
}

describe('sealstream inspect', () => {
  test('tells without any service but S3 what a segment holds', async () => {
    const nowhere = 'http://127.0.0.1:9'
    const bare = place.config({ 'kafka.brokers': ['127.0.0.1:9'], 'kms.aws.endpoint': nowhere })
    const object = objectOf(small)
    const { code, stdout, stderr } = await runCommand(['inspect', '--config', bare, object])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`^object +${object}$`, 'm'))
    expect(stdout).toMatch(new RegExp(`^key domain +${smallTopic}$`, 'm'))
    expect(stdout).toMatch(new RegExp(`^KEK +arn:aws:kms:.*:key/${place.stack.kms.keyId}$`, 'm'))
    expect(stdout).toMatch(/^frames +40$/m)
    for (const partition of [0, 1]) {
      expect(stdout).toMatch(new RegExp(`^${smallTopic}/${partition} +20  0 to 19$`, 'm'))
    }
  })

  test('gives the figures as JSON, for the object of a reference too', async () => {
    const reference = JSON.stringify({ v: 1, ...small[3] })
    const { code, stdout } = await inspect('--reference', reference, '--json')
    expect(code).toBe(0)
    const lengths = small.map(({ length }) => length).sort((a, b) => a - b)
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ object: objectOf(small), formatVersion: 1, generation: 1, keyDomain: smallTopic },
      frames: SMALL_COUNT,
      frameBytes: { min: lengths[0], max: lengths.at(-1) },
    })
    expect(stdout).not.toContain('verified')
  })

  test.each([
    ['one PUT', () => small],
    ['a multipart upload', () => large],
  ])('lists the frames of a segment of %s as its references have them', async (_how, of) => {
    const { code, stdout, stderr } = await inspect(objectOf(of()), '--frames')
    expect(code).toBe(0)
    expect(stderr).toMatch(/^object +/)
    const listed = jsonLines(stdout)
    expect(listed.map(({ seq }) => seq)).toEqual(of().map((_, i) => i))
    expect(listed).toEqual(of().map(({ object: _, ...frame }, seq) => ({ ...frame, seq })))
  })
})

describe('sealstream inspect --verify', () => {
  test('opens all of a segment of one PUT', async () => {
    const { code, stdout, stderr } = await inspect(objectOf(small), '--verify')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/\nverified: 40 frames open\n$/)
    expect(stdout).not.toContain('plain')
  })

  test('opens all of a segment of a multipart upload, part by part', async () => {
    const Key = objectOf(large)
    const head = await s3.send(new HeadObjectCommand({ Bucket: place.stack.s3.bucket, Key }))
    expect(head.ETag).toMatch(/-3"$/)
    const { code, stdout } = await inspect(Key, '--verify', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ bytes: head.ContentLength, frames: LARGE_COUNT, verifiedFrames: LARGE_COUNT },
    })
  })

  test('asks no KMS for a key that is not allowed', async () => {
    const others = place.config({ 'kms.keyId': OTHER_KEY })
    const args = ['inspect', '--config', others, objectOf(small), '--verify']
    const { code, stdout, stderr } = await runCommand(args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^sealstream: .*\[SEAL_KEK_NOT_ALLOWED\]\n$/)
  })

  test('names the first damaged frame and prints nothing else', async () => {
    const { topic, partition, offset, position, length } = large[41] as Reference
    const bit = (position + length - 20) * 8
    const object = await tampered(large, (bytes) => withFlippedBit(bytes, bit))
    expect((await inspect(object)).code).toBe(0)
    const { code, stdout, stderr } = await inspect(object, '--verify')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const frame = `${topic}/${partition} offset ${offset} at position ${position}`
    expect(stderr).toMatch(
      new RegExp(`^sealstream: ${object}: frame of ${frame}: .* \\[SEAL_OPEN_FAILED\\]\\n$`),
    )
  })
})

describe('sealstream inspect refuses with one line and exit code 1', () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['that is cut short', (bytes) => bytes.subarray(0, -1)],
    ['that lost its footer', (bytes) => takeApart(bytes).front],
    ['with a byte appended', (bytes) => Buffer.concat([bytes, Buffer.from('\n')])],
    ['with a flipped bit in its index', (bytes) => withFlippedBit(bytes, (bytes.length - 60) * 8)],
    ['with a flipped bit in its header', (bytes) => withFlippedBit(bytes, 100 * 8)],
    ['that became base64', (bytes) => Buffer.from(bytes.toString('base64'))],
    ['that is empty', () => Buffer.alloc(0)],
  ])('an object %s', async (_what, change) => {
    const object = await tampered(small, change)
    const { code, stdout, stderr } = await inspect(object)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^sealstream: ${object}.* \\[SEAL_MALFORMED\\]\\n$`))
  })

  test('a key that is none of a segment, and an object that is not there', async () => {
    const dek = JSON.parse((await inspect(objectOf(small), '--json')).stdout).dekId
    const answer = await inspect(`${place.prefix}/deks/${dek}.json`)
    expect(answer.code).toBe(2)
    expect(answer.stderr).toMatch(/\[SEAL_INPUT_INVALID\]\n$/)
    const missing = await inspect(objectOf(small).replace('.seal', 'x.seal'), '--json')
    expect(missing).toMatchObject({ code: 1, stdout: '' })
    expect(JSON.parse(missing.stderr)).toMatchObject({ code: 'SEAL_OBJECT_MISSING' })
  })
})
