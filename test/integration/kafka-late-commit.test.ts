import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { KafkaReferenceSink } from '../../src/adapters/kafka/kafka-reference-sink.ts'
import type { Publication, ReferenceSink } from '../../src/pipeline/reference-sink.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { runsOf } from '../support/record-runs.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { kafkaProtocol } from '../support/wire-protocols.ts'
import type { Fate, SeenRequest } from '../support/wire-session.ts'

const BROKER = inject('stack').kafka.brokers[0] as string
/** Of the answer to EndTxn: behind length, correlation id and throttle time. */
const ERROR_AT = 12
const INVALID_PRODUCER_EPOCH = 47
let kafka: KafkaFixture
let proxy: TcpProxy
let scenes = 0
/** What is held back of EndTxn: its requests or the broker's answers. */
let holds: 'requests' | 'answers' | 'nothing' = 'nothing'
let held: (() => void)[] = []
let answers: number[] = []
let look = () => {}

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  proxy = await TcpProxy.before(BROKER, { protocol: kafkaProtocol })
  proxy.judge = fateOf
})

/** A request that is held waits until the test lets go of it. */
async function fateOf({ kind }: SeenRequest): Promise<Fate> {
  if (kind !== 'EndTxn') return 'pass'
  if (holds === 'answers') return 'lose answer'
  if (holds === 'requests') {
    const gate = Promise.withResolvers<void>()
    held.push(gate.resolve)
    look()
    await gate.promise
  }
  return (answer) => {
    answers.push(answer.readInt16BE(ERROR_AT))
    look()
    return answer
  }
}

afterAll(async () => {
  await proxy.cut()
  await kafka.close()
})

interface Scene {
  readonly sink: ReferenceSink
  publication(text: string, nextOffset: number): Publication
  visible(): Promise<string[]>
  committed(): Promise<number | undefined>
}

let scene: Scene

beforeEach(async () => {
  held = []
  answers = []
  holds = 'nothing'
  const groupId = `late-commit-${process.pid}-${++scenes}`
  const [source, output] = [`${groupId}-source`, `${groupId}-output`]
  for (const topic of [source, output]) await kafka.createTopic(topic, 1)
  const client = { brokers: [proxy.address], clientId: 'late', requestTimeoutMs: 3_000 }
  scene = {
    sink: new KafkaReferenceSink({ ...client, groupId, transactionTimeoutMs: 30_000 }),
    publication: (text, nextOffset) => ({
      records: [{ topic: output, partition: 0, runs: runsOf([Buffer.from(text)]) }],
      offsets: [{ topic: source, partition: 0, nextOffset }],
    }),
    visible: async () => (await kafka.readAll(output)).map(({ value }) => String(value)),
    committed: async () => (await kafka.committed(groupId, source)).get(0),
  }
})

/** Resolves when `is` holds, looked at whenever the proxy sees an EndTxn. */
function until(is: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    look = () => void (is() && resolve())
    look()
  })
}

test('a commit that reaches the broker late ends nothing of the transaction after it', async () => {
  const { sink, publication, visible, committed } = scene
  const first = await sink.openLane(0)
  holds = 'requests'
  const lost = first.publish(publication('given up', 3), () => true)
  await expect(lost).rejects.toMatchObject({ code: 'SEAL_KAFKA_UNAVAILABLE', retryable: true })
  const second = await sink.openLane(0)
  expect(await committed()).toBeUndefined()
  const published = second.publish(publication('published', 5), () => true)
  await until(() => held.length === 2)
  held[0]?.()
  await until(() => answers.length === 1)
  expect(answers).toEqual([INVALID_PRODUCER_EPOCH])
  expect(await committed()).toBeUndefined()
  held[1]?.()
  await published
  // Whoever opens the lane waits for what was committed.
  await (await sink.openLane(0)).close()
  expect(await visible()).toEqual(['published'])
  expect(await committed()).toBe(5)
  await Promise.all([first.close(), second.close()])
})

test('a commit whose answer is lost has happened, and the next writer sees it', async () => {
  const { sink, publication, visible, committed } = scene
  const first = await sink.openLane(0)
  holds = 'answers'
  const lost = first.publish(publication('once', 3), () => true)
  await expect(lost).rejects.toMatchObject({ code: 'SEAL_KAFKA_UNAVAILABLE', retryable: true })
  holds = 'nothing'
  const second = await sink.openLane(0)
  expect(await committed()).toBe(3)
  await Promise.all([first.close(), second.close()])
  expect(await visible()).toEqual(['once'])
})
