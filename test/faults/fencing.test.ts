import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { KafkaAdmin } from '../../src/adapters/kafka/kafka-admin.ts'
import { KafkaMessageSource } from '../../src/adapters/kafka/kafka-message-source.ts'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import type { SourceHandler } from '../../src/pipeline/message-source.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { faultBench } from '../support/fault-bench.ts'
import { numberedRecords } from '../support/records.ts'
import { proveSealedOnce, untilSealed } from '../support/seal-under-fault.ts'
import type { SealingPlace } from '../support/sealing-place.ts'
import { kafkaProtocol } from '../support/wire-protocols.ts'

// Two processes that both believe to own a lane, and one that is away longer than the group waits.

const bench = faultBench()
const PARTITIONS = 4
const SESSION_MS = 6_000
/** Behind length, correlation id and throttle time. */
const ENDTXN_ERROR_AT = 12
const INVALID_PRODUCER_EPOCH = 47
const PRODUCER_FENCED = 90

class Scene {
  readonly place: SealingPlace
  readonly messages: Message[] = []

  private constructor(place: SealingPlace) {
    this.place = place
  }

  static async of(name: string): Promise<Scene> {
    const scene = new Scene(bench.newPlace(name))
    await bench.kafka.createTopic(scene.place.topic, PARTITIONS)
    return scene
  }

  async append(count: number): Promise<void> {
    const records = numberedRecords(count, `${this.place.name} ${this.messages.length}`)
    const { topic } = this.place
    this.messages.push(...(await bench.kafka.appendMany(topic, PARTITIONS, records, 50)))
  }

  start(broker = bench.broker): EncryptorProcess {
    const small = { 'segment.messagesMax': 100, 'kafka.requestTimeoutMs': '30s' }
    return new EncryptorProcess(this.place.config({ 'kafka.brokers': [broker], ...small }))
  }

  sealedBy(encryptor: EncryptorProcess): Promise<void> {
    return untilSealed(bench, this.place, encryptor)
  }

  async prove(...encryptors: EncryptorProcess[]): Promise<void> {
    const endings = await Promise.all(encryptors.map((encryptor) => encryptor.stop()))
    expect(endings.map(({ code }) => code)).toEqual(encryptors.map(() => 0))
    await proveSealedOnce(bench, this.place, this.messages)
  }
}

test('a zombie with an open transaction, stopped for two sessions, is fenced and comes back as a member', async () => {
  const scene = await Scene.of('zombie')
  const proxy = await bench.beforeTcp(bench.broker, { protocol: kafkaProtocol })
  const zombie = scene.start(proxy.address)
  await zombie.ready()
  // Its commits go out, but do not arrive: the transaction stays open.
  const committing = Promise.withResolvers<void>()
  const thawed = Promise.withResolvers<void>()
  proxy.judge = ({ kind }) => {
    if (kind !== 'EndTxn') return 'pass'
    committing.resolve()
    return thawed.promise.then(() => 'pass')
  }
  await scene.append(2_000)
  await committing.promise
  zombie.kill('SIGSTOP')
  const heir = scene.start()
  await systemClock.sleep(2 * SESSION_MS)
  await scene.sealedBy(heir)
  proxy.judge = null
  thawed.resolve()
  zombie.kill('SIGCONT')
  await scene.append(2_000)
  await zombie.until('a member again', () => zombie.logged(/^partitions assigned$/).length > 1)
  await scene.sealedBy(zombie)
  expect(zombie.isRunning).toBe(true)
  await scene.prove(zombie, heir)
})

test('a process that no longer hears from the group and one that took over: one of them publishes', async () => {
  const scene = await Scene.of('two-owners')
  const proxy = await bench.beforeTcp(bench.broker, { protocol: kafkaProtocol })
  const deaf = scene.start(proxy.address)
  await deaf.ready()
  let heartbeats = 0
  proxy.judge = ({ kind }) => {
    if (kind !== 'Heartbeat') return 'pass'
    heartbeats++
    return 'lose request'
  }
  await scene.append(1_000)
  const heir = scene.start()
  const overAtMs = systemClock.elapsedMs() + 3 * SESSION_MS
  while (systemClock.elapsedMs() < overAtMs) {
    await scene.append(200)
    await systemClock.sleep(300)
  }
  await heir.until('an owner', () => heir.logged(/^partitions assigned$/).length > 0)
  await scene.sealedBy(heir)
  expect(heartbeats).toBeGreaterThan(0)
  proxy.judge = null
  await scene.append(500)
  await scene.sealedBy(heir)
  expect(deaf.isRunning).toBe(true)
  await scene.prove(deaf, heir)
})

test('a commit that arrives 30 s late, behind a new owner, is refused', async () => {
  const scene = await Scene.of('late-commit')
  const proxy = await bench.beforeTcp(bench.broker, { protocol: kafkaProtocol })
  const held: Buffer[] = []
  proxy.judge = ({ kind, frame }) => {
    if (kind !== 'EndTxn' || held.length > 0) return 'pass'
    held.push(Buffer.from(frame))
    return 'lose request'
  }
  await scene.append(1_000)
  const config = { 'kafka.brokers': [proxy.address], 'kafka.requestTimeoutMs': '3s' }
  const encryptor = new EncryptorProcess(scene.place.config(config))
  await encryptor.until('committing', () => held.length > 0)
  await scene.sealedBy(encryptor)
  await systemClock.sleep(30_000)
  const answer = await sendRaw(held[0] as Buffer)
  expect([INVALID_PRODUCER_EPOCH, PRODUCER_FENCED]).toContain(answer.readInt16BE(ENDTXN_ERROR_AT))
  await scene.append(500)
  await scene.sealedBy(encryptor)
  await scene.prove(encryptor)
})

// What blocks the event loop stops heartbeats and answers alike; a stopped process does no less.
test('a process that does nothing for 20 s loses its session and finds back', async () => {
  const scene = await Scene.of('blocked')
  await scene.append(500)
  const encryptor = scene.start()
  await scene.sealedBy(encryptor)
  encryptor.kill('SIGSTOP')
  await scene.append(2_000)
  await systemClock.sleep(20_000)
  encryptor.kill('SIGCONT')
  await scene.sealedBy(encryptor)
  expect(encryptor.logged(/^partitions assigned$/).length).toBeGreaterThan(1)
  await scene.prove(encryptor)
})

test('members that come and go every 2 s for 30 s take lanes away and do nothing: sealing goes on', async () => {
  const scene = await Scene.of('storm')
  const encryptor = scene.start()
  await encryptor.ready()
  const overAtMs = systemClock.elapsedMs() + 30_000
  let joins = 0
  while (systemClock.elapsedMs() < overAtMs) {
    const guest = await joinIdle(scene.place)
    joins++
    await scene.append(200)
    await systemClock.sleep(2_000)
    await guest.leave()
    await systemClock.sleep(2_000)
  }
  expect(joins).toBeGreaterThan(3)
  await scene.sealedBy(encryptor)
  expect(encryptor.logged(/^partitions assigned$/).length).toBeGreaterThan(joins)
  await scene.prove(encryptor)
})

/** A member of the group of a place that takes its share of the lanes and reads nothing. */
async function joinIdle({ groupId, topics, stack }: SealingPlace) {
  const requests = { brokers: stack.kafka.brokers, clientId: 'guest', requestTimeoutMs: 10_000 }
  const reading = {
    fetchBytesMax: 65_536,
    fetchBytesPerPartitionMax: 65_536,
    fetchBytesMin: 1,
    fetchWaitMs: 100,
  }
  const road = { groupId, topics, lanes: 4, referenceTopicSuffix: '.sealed' }
  const options = { ...requests, ...reading, ...road }
  const admin = new KafkaAdmin(options)
  const clusterId = await admin.connect()
  const session = { sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: 500 }
  const source = new KafkaMessageSource({ ...options, ...session }, admin, clusterId)
  const joined = Promise.withResolvers<void>()
  const idle: SourceHandler = {
    onAssigned: () => joined.resolve(),
    onBatch: async () => false,
    onUnreadable: () => {},
    onOutOfRange: () => {},
    onInterrupted: () => {},
    onFailure: (error) => joined.reject(error),
  }
  await source.start(idle)
  await joined.promise
  return {
    leave: async () => {
      await source.stop()
      await admin.close()
    },
  }
}

/** Sends one request of the Kafka protocol over a connection of its own; resolves to the answer. */
function sendRaw(request: Buffer): Promise<Buffer> {
  const [host, port] = bench.broker.split(':') as [string, string]
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) }, () => socket.write(request))
    socket.on('error', reject)
    socket.once('data', (answer) => {
      socket.destroy()
      resolve(answer)
    })
  })
}
