import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaReferenceSink } from '../../../src/adapters/kafka/kafka-reference-sink.ts'
import type { Message } from '../../../src/format/message.ts'
import { parcelBytes } from '../../../src/format/parcel.ts'
import {
  CommandLineProcess,
  EncryptorProcess,
  runCommand,
} from '../../support/encryptor-process.ts'
import { KafkaFixture } from '../../support/kafka-fixture.ts'
import { message } from '../../support/messages.ts'
import { record } from '../../support/records.ts'
import { expectSealedOnce } from '../../support/sealed-proof.ts'
import { SealingPlace } from '../../support/sealing-place.ts'

const MIB = 1024 * 1024
const CAP_BYTES = 12 * MIB
const LONG_MAX = String(2n ** 63n - 1n)
const TIMES = {
  'message.timestamp.before.max.ms': LONG_MAX,
  'message.timestamp.after.max.ms': LONG_MAX,
}
const LARGE = { 'max.message.bytes': String(20 * MIB) }
const place = new SealingPlace('hostile')
/** With `.quarantine` behind it, as long as a topic name may be; dots and underscores collide in Kafka's metrics. */
const topic = `${place.topic}.a_b.`.padEnd(238, 'x')
const settings = {
  'kafka.topics': [topic],
  'kafka.lanes': 2,
  'message.bytesMax': `${CAP_BYTES / MIB}MiB`,
  'message.onUnsealable': 'quarantine',
}
let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(topic, 1, { ...TIMES, ...LARGE })
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

/** A record whose parcel has this many bytes. */
function recordOf(bytes: number) {
  const overhead = parcelBytes(message({ value: Buffer.alloc(0) }))
  return record({ value: Buffer.alloc(bytes - overhead, 'large ') })
}

const header = (name: string, value: string | null) =>
  [Buffer.from(name), value === null ? null : Buffer.from(value)] as const

const HOSTILE = {
  '0 bytes throughout': record({ key: Buffer.alloc(0), value: Buffer.alloc(0) }),
  'nothing but nulls': record({ key: null, value: null }),
  '1,000 headers': record({
    headers: Array.from({ length: 1_000 }, (_, i) => header(`${i % 9}`, `${i}`)),
  }),
  '10 before 9, and the prototype': record({
    headers: ['10', '9', '__proto__', 'constructor', 'toString', '__proto__'].map((name) =>
      header(name, name),
    ),
  }),
  'a negative time': record({ timestampMs: -62_135_596_800_000n }),
  'the largest time': record({ timestampMs: 2n ** 63n - 1n }),
  '10 MiB': recordOf(10 * MIB),
  'one byte below message.bytesMax': recordOf(CAP_BYTES - 1),
  'message.bytesMax': recordOf(CAP_BYTES),
} as const

describe('a topic of 238 characters', () => {
  const sent: Message[] = []
  let refused: Message

  test('is sealed, whatever its messages are', async () => {
    for (const one of Object.values(HOSTILE))
      sent.push(...(await kafka.append({ topic, partition: 0 }, [one])))
    refused = (await kafka.append({ topic, partition: 0 }, [recordOf(CAP_BYTES + 1)]))[0] as Message
    sent.push(...(await kafka.append({ topic, partition: 0 }, [record()])))
    const encryptor = new EncryptorProcess(place.config(settings))
    const ends = await kafka.ends(topic)
    await encryptor.until('done', () => kafka.hasReached(place.groupId, topic, ends))
    expect(await encryptor.metric('sealstream_quarantined_messages_total')).toBe(1)
    expect((await encryptor.stop()).code).toBe(0)
    await expectSealedOnce(kafka, place, topic, sent)
  })

  test('has the message of one byte more noted, and it alone', async () => {
    const notes = await kafka.readAll(`${topic}.quarantine`)
    expect(notes.map(({ value }) => JSON.parse(String(value)).offset)).toEqual([refused.offset])
  })

  test('has its mappings on record under its whole name', async () => {
    const args = [
      'impact',
      '--config',
      place.config(settings),
      '--kek',
      place.stack.kms.keyId,
      '--list',
    ]
    const { code, stdout } = await runCommand(args)
    expect(code).toBe(0)
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
      // Other tests seal under the same KEK.
      .filter((row) => row.topic === topic)
      .sort((a, b) => a.offset - b.offset)
    expect(rows.map((row) => [row.topic, row.offset])).toEqual(
      sent.map(({ offset }) => [topic, offset]),
    )
  })

  test('cannot be configured with one character more', async () => {
    const longer = place.config({ ...settings, 'kafka.topics': [`${topic}x`] })
    const { code, stderr } = await runCommand(['run', '--config', longer])
    expect(code).toBe(2)
    expect(stderr).toContain('kafka.topics.0: is too long')
  })
})

describe('Kafka refuses, and so do we with the way out:', () => {
  test('a transaction timeout above the maximum of the broker', async () => {
    const { brokers } = place.stack.kafka
    const options = {
      brokers,
      clientId: 'test',
      requestTimeoutMs: 10_000,
      tls: undefined,
      sasl: undefined,
    }
    const sink = new KafkaReferenceSink({
      ...options,
      groupId: randomUUID(),
      transactionTimeoutMs: 16 * 60_000,
    })
    await expect(sink.openLane(0)).rejects.toMatchObject({
      code: 'SEAL_KAFKA_REFUSED',
      retryable: false,
      message: expect.stringContaining('lower kafka.transactionTimeoutMs'),
    })
  })

  test('a number of lanes other than that of the group', async () => {
    const first = new EncryptorProcess(place.config(settings))
    await first.ready()
    const other = new CommandLineProcess([
      'run',
      '--config',
      place.config({ ...settings, 'kafka.lanes': 3 }),
    ])
    const { code, stderr } = await other.ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/kafka\.lanes must be the same .*\[SEAL_KAFKA_REFUSED\]\n$/)
    expect(first.isRunning).toBe(true)
    expect((await first.stop()).code).toBe(0)
  })
})
