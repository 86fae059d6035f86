import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { type ConfigChanges, SealingPlace } from '../support/sealing-place.ts'

const place = new SealingPlace('refusals')
const WITHIN_MS = 20_000
/** Nothing listens here, on any machine. */
const DEAD = '127.0.0.1:1'
const WRONG_SECRET = 'a-secret-that-is-wrong'
const UNKNOWN_KEY = '00000000-0000-4000-8000-00000000dead'
let kafka: KafkaFixture
let occupant: Server

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, 1)
  await kafka.appendMany(place.topic, 1, numberedRecords(10, 'refused'))
  occupant = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => occupant.once('listening', resolve))
})

afterAll(async () => {
  occupant.close()
  await kafka.close()
  place.remove()
})

/** What is wrong, how, what the one line must name, and the exit code. */
type Refusal = readonly [what: string, changes: () => ConfigChanges, named: RegExp[], code: number]

const refusals: Refusal[] = [
  ['a topic that is missing', () => ({ 'kafka.topics': ['no-such'] }), [/no topic no-such /], 1],
  ['a broker that is away', () => ({ 'kafka.brokers': [DEAD] }), [/Kafka at 127\.0\.0\.1:1 /], 1],
  ['S3 that is away', () => ({ 's3.endpoint': `http://${DEAD}` }), [/127\.0\.0\.1:1 does not/], 1],
  [
    'Cassandra that is away',
    () => ({ 'cassandra.contactPoints': [DEAD] }),
    [/Cassandra at 127\.0\.0\.1:1 /, /contactPoints/],
    1,
  ],
  [
    'a KMS that is away',
    () => ({ 'kms.aws.endpoint': `http://${DEAD}` }),
    [/127\.0\.0\.1:1 does not/],
    1,
  ],
  [
    'a wrong S3 secret',
    () => ({ 's3.secretAccessKey': WRONG_SECRET }),
    [/mend s3\.secretAccessKey/],
    1,
  ],
  ['a wrong S3 access key', () => ({ 's3.accessKeyId': 'nobody' }), [/mend s3\.accessKeyId/], 1],
  [
    'a bucket that is missing',
    () => ({ 's3.bucket': 'no-bucket' }),
    [/no-bucket/, /s3\.bucket/],
    1,
  ],
  ['an unknown KEK', () => ({ 'kms.keyId': UNKNOWN_KEY }), [/mend kms\.keyId/], 1],
  [
    'a keyspace that is missing and may not be made',
    () => ({ 'cassandra.keyspace': 'absent', 'cassandra.createSchema': false }),
    [/"absent"/, /cassandra\.createSchema/],
    1,
  ],
  [
    'a datacenter that is none',
    () => ({ 'cassandra.localDatacenter': 'mars' }),
    [/mars/, /cassandra\.localDatacenter/],
    1,
  ],
  [
    'a taken port',
    () => ({ 'http.port': (occupant.address() as AddressInfo).port }),
    [/http\.port/, /in use/],
    1,
  ],
  ['an unknown key', () => ({ 'segment.agems': '1s' }), [/segment\.agems: unknown key/], 2],
  [
    'values that contradict each other',
    () => ({ 'window.ageMs': '100ms', 'segment.ageMs': '1s' }),
    [/window\.ageMs/, /segment\.ageMs/],
    2,
  ],
]

describe('run refuses', () => {
  test.each(refusals)('%s with one line that names it, and seals nothing', async (...refusal) => {
    const [, changes, named, code] = refusal
    const ending = await runCommand(['run', '--config', place.config(changes())])
    expect(ending).toMatchObject({ code, stdout: '' })
    const lines = ending.stderr.trimEnd().split('\n')
    const plain = lines.filter((line) => !line.startsWith('{'))
    expect(plain).toEqual([expect.stringMatching(/^sealstream: .* \[SEAL_[A-Z_]+\]$/)])
    for (const name of named) expect(plain[0]).toMatch(name)
    expect(ending.stderr).not.toMatch(/^\s+at /m)
    expect(ending.stderr).not.toContain(WRONG_SECRET)
    expect(ending.elapsedMs).toBeLessThan(WITHIN_MS)
    expect(await kafka.committed(place.groupId, place.topic)).toEqual(new Map())
  })
})
