import { readFileSync } from 'node:fs'
import { expect, inject } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess } from './encryptor-process.ts'
import { KafkaFixture } from './kafka-fixture.ts'
import type { RawRecord } from './record-batch.ts'
import { record } from './records.ts'
import { expectReferencedOnce, openAll } from './sealed-proof.ts'
import { type ConfigChanges, SealingPlace } from './sealing-place.ts'

const PARTITIONS = 4
const SAMPLE_MS = 250
const BATCH_BYTES = 512 * 1024
const OPENED_MAX = 2_000
const WAIT_MS_MAX = 240_000
/** The road is at full load when no more than a slice or so would go into the budget. */
const FULL_FROM = 0.9

/** What is sealed, and which services stand still meanwhile, each for how long. */
export interface StallTrial {
  readonly messages: number
  readonly valueBytes: number
  readonly inFlightBytesMax: number
  readonly config: ConfigChanges
  readonly stalls: readonly (readonly [service: 's3' | 'cassandra', forMs: number])[]
}

/** What was seen of one run. */
export interface StallFindings {
  /** Most resident memory, over all samples, in bytes. */
  readonly rssBytesMost: number
  /** The ceiling that the process gave itself, in bytes. */
  readonly rssBytesMax: number
  /** Most bytes in flight that its metrics told of. */
  readonly inFlightBytesMost: number
}

/**
 * Seals a backlog as fast as it goes; once the road is under way, services stop in turn without
 * closing a connection, for so long that everything waits. In the end everything is sealed once.
 */
export async function sealUnderStalls(trial: StallTrial): Promise<StallFindings> {
  const kafka = await KafkaFixture.connect()
  const place = new SealingPlace('memory')
  try {
    return await sealAt(kafka, place, trial)
  } finally {
    await kafka.close()
    place.remove()
  }
}

async function sealAt(
  kafka: KafkaFixture,
  place: SealingPlace,
  trial: StallTrial,
): Promise<StallFindings> {
  await kafka.createTopic(place.topic, PARTITIONS)
  const messages = await backlog(kafka, place.topic, trial)
  const changes = { 'memory.inFlightBytesMax': trial.inFlightBytesMax, ...trial.config }
  const encryptor = new EncryptorProcess(place.config(changes))
  await using watch = new MemoryWatch(encryptor)
  const published = () => encryptor.metric('sealstream_published_references_total')
  for (const [service, forMs] of trial.stalls) {
    const before = await published()
    const isUnderWay = async () => (await published()) > before
    await encryptor.until('under way', isUnderWay, WAIT_MS_MAX)
    await stalled(service, async () => {
      const isFull = () => watch.inFlightBytes >= trial.inFlightBytesMax * FULL_FROM
      await encryptor.until('full', isFull, WAIT_MS_MAX)
      await systemClock.sleep(forMs)
      expect(encryptor.isRunning).toBe(true)
    })
  }
  const ends = await kafka.ends(place.topic)
  const isDone = () => kafka.hasReached(place.groupId, place.topic, ends)
  await encryptor.until('done', isDone, WAIT_MS_MAX)
  const rssBytesMax = await encryptor.metric('sealstream_memory_bytes_max')
  expect((await encryptor.stop()).code).toBe(0)
  await expectAllSealed(kafka, place, messages)
  return { ...watch.most, rssBytesMax }
}

/** One value for all, so that the test itself needs little memory; the key tells messages apart. */
function backlog(kafka: KafkaFixture, topic: string, trial: StallTrial): Promise<Message[]> {
  const value = Buffer.alloc(trial.valueBytes, 'x')
  const records: RawRecord[] = Array.from({ length: trial.messages }, (_, i) =>
    record({ key: Buffer.from(`${i}`), value }),
  )
  const inBatch = Math.max(1, Math.floor(BATCH_BYTES / trial.valueBytes))
  return kafka.appendMany(topic, PARTITIONS, records, inBatch)
}

/** The process of a service does nothing while `work` runs; its connections stay open. */
async function stalled(service: 's3' | 'cassandra', work: () => Promise<void>): Promise<void> {
  const pid = inject('stack').processes[service]
  process.kill(pid, 'SIGSTOP')
  try {
    await work()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

async function expectAllSealed(
  kafka: KafkaFixture,
  place: SealingPlace,
  messages: readonly Message[],
): Promise<void> {
  const references = await expectReferencedOnce(kafka, place.topic, messages)
  const every = Math.ceil(references.length / OPENED_MAX)
  const sample = references.filter((_, i) => i % every === 0)
  const keys = new Map(
    messages.map(({ partition, offset, key }) => [`${partition}@${offset}`, key]),
  )
  for (const { partition, offset, key, value } of await openAll(place, sample)) {
    expect(key).toEqual(keys.get(`${partition}@${offset}`))
    expect(value).toHaveLength(messages[0]?.value?.length as number)
  }
}

/** Samples the memory of a process from outside, and what it says of its budget. */
class MemoryWatch implements AsyncDisposable {
  readonly #encryptor: EncryptorProcess
  readonly #over = new AbortController()
  readonly #done: Promise<void>
  #rssBytesMost = 0
  #inFlightBytesMost = 0
  inFlightBytes = 0

  constructor(encryptor: EncryptorProcess) {
    this.#encryptor = encryptor
    this.#done = this.#watch()
  }

  get most(): Omit<StallFindings, 'rssBytesMax'> {
    return { rssBytesMost: this.#rssBytesMost, inFlightBytesMost: this.#inFlightBytesMost }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort()
    await this.#done
  }

  async #watch(): Promise<void> {
    while (!this.#over.signal.aborted && this.#encryptor.isRunning) {
      this.#rssBytesMost = Math.max(this.#rssBytesMost, rssBytesOf(this.#encryptor.pid))
      this.inFlightBytes = await this.#encryptor.metric('sealstream_in_flight_bytes').catch(() => 0)
      this.#inFlightBytesMost = Math.max(this.#inFlightBytesMost, this.inFlightBytes)
      await systemClock.sleep(SAMPLE_MS, this.#over.signal)
    }
  }
}

/** Resident memory as the kernel counts it; 0 once the process is gone. */
function rssBytesOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
