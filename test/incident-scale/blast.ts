import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { resetStack, type StackEndpoints, startStack } from '../../docker/stack/stack.ts'
import { loadKafkajs } from '../../src/adapters/kafka/load-kafkajs.ts'
import { systemClock } from '../../src/clock.ts'
import { withImpactReader } from '../../src/compose/impact.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import type { Config } from '../../src/config/schema.ts'
import { impactOf, impactPages } from '../../src/incident/impact.ts'
import type { ImpactReader } from '../../src/incident/impact-scope.ts'
import { segmentFolder } from '../../src/segment/object-key.ts'
import { Encryptor } from '../faults/chaos/encryptor.ts'
import { RunLog } from '../faults/chaos/run-log.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { BruteScan, type Frames } from './brute-scan.ts'
import { NumberedLoad } from './numbered-load.ts'

/** How much is sealed, and under how many keys. */
export interface BlastOptions {
  readonly messages: number
  readonly deks: number
  readonly messageBytes: number
  readonly seed: number
}

const TOPIC = 'blast'
const PARTITIONS = 8
const POLL_MS = 1_000
/** Kills come after a time between these, at random. */
const KILL_AFTER_MS = [6_000, 20_000] as const
const STALLED_MS = 5 * 60_000

/** What of the answers was not what the scan found. */
interface Comparison {
  missing: number
  extra: number
  /** Rows of segments that a kill left without an object: noted as intended, and told as that. */
  withoutObject: number
  listed: number
  firstAnswerMs: number[]
}

/**
 * Seals many messages under many DEKs through SIGKILLs at random times, and holds what `impact` says of
 * every DEK against a scan of every byte of every object.
 */
export class BlastRun {
  readonly #folder: string
  readonly #options: BlastOptions
  readonly #log: RunLog
  readonly #random: SeededRandom
  #kills = 0

  /** `folder` is the run's own, and exists. */
  constructor(folder: string, options: BlastOptions) {
    this.#folder = folder
    this.#options = options
    this.#log = new RunLog(join(folder, 'blast.log'))
    this.#random = new SeededRandom(options.seed)
  }

  /** Resolves to the summary; `wrong` in it names what was. Every service is ended and taken away then. */
  async run() {
    const directory = join(this.#folder, 'stack')
    const endpoints = await startStack({ directory, ports: 'free' })
    try {
      return await this.#play(endpoints)
    } finally {
      await resetStack(directory)
    }
  }

  async #play(endpoints: StackEndpoints) {
    const { messages: count, messageBytes: valueBytes } = this.#options
    const messagesPerPartition = Math.ceil(count / PARTITIONS)
    const shape = { topic: TOPIC, partitions: PARTITIONS, messagesPerPartition, valueBytes }
    const load = new NumberedLoad(shape)
    const path = this.#writeConfig(endpoints)
    const { config } = loadConfig({ file: path, env: {} })
    await this.#createTopic(endpoints)
    await load.produce(endpoints.kafka.brokers[0] as string, () => {})
    this.#log.note(`${load.messages} messages are produced`)
    const sealingMs = await this.#seal(endpoints, path, load.messages)
    this.#log.note(`sealed through ${this.#kills} kills`)
    const scan = new BruteScan()
    await scan.run(endpoints, segmentFolder(config.s3), () => {})
    this.#log.note(
      `${scan.objects.size} objects hold ${scan.frames} frames of ${scan.byDek.size} DEKs`,
    )
    const compared = await this.#compare(config, scan)
    const { firstAnswerMs, ...counts } = compared
    const answers = firstAnswerMs.toSorted((a, b) => a - b)
    return {
      ...{ messages: load.messages, kills: this.#kills, sealingSeconds: sealingMs / 1000 },
      ...{ objects: scan.objects.size, bytes: scan.bytes, frames: scan.frames },
      ...{ deks: scan.byDek.size, ...counts },
      firstAnswerMs: { median: answers[answers.length >> 1], max: answers.at(-1) },
      wrong: wrongOf(scan, compared, load.messages, this.#kills),
    }
  }

  /** Lets encryptors work, each until it is killed, and the last one to the end. */
  async #seal({ kafka }: StackEndpoints, path: string, total: number): Promise<number> {
    const { Kafka: Client, logLevel } = loadKafkajs()
    const brokers = [...kafka.brokers]
    const admin = new Client({ clientId: 'blast', brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const done = async () => {
      const [group] = await admin.fetchOffsets({ groupId: TOPIC, topics: [TOPIC] })
      return (group?.partitions ?? []).reduce(
        (sum, { offset }) => sum + Math.max(0, Number(offset)),
        0,
      )
    }
    const startedAtMs = systemClock.elapsedMs()
    let before = 0
    let movedAtMs = startedAtMs
    for (let sealed = 0, start = 1; sealed < total; start++) {
      const encryptor = new Encryptor(path, join(this.#folder, `encryptor-${start}.log`))
      const killAtMs = systemClock.elapsedMs() + this.#random.between(...KILL_AFTER_MS)
      while (sealed < total && systemClock.elapsedMs() < killAtMs && encryptor.isRunning) {
        await systemClock.sleep(POLL_MS)
        sealed = await done()
      }
      if (sealed > before) movedAtMs = systemClock.elapsedMs()
      before = sealed
      if (systemClock.elapsedMs() - movedAtMs > STALLED_MS) throw new Error(encryptor.lastReason)
      if (sealed < total) this.#kills++
      encryptor.kill(sealed < total ? 'SIGKILL' : 'SIGTERM')
      await encryptor.ended
      this.#log.note(`${sealed} are published`)
    }
    await admin.disconnect()
    return systemClock.elapsedMs() - startedAtMs
  }

  async #compare(config: Config, scan: BruteScan): Promise<Comparison> {
    const sum: Comparison = { missing: 0, extra: 0, withoutObject: 0, listed: 0, firstAnswerMs: [] }
    for (const [dekId, frames] of scan.byDek) {
      // Each asks over a connection of its own, as the command does.
      await withImpactReader(config, async (reader) => {
        const startedAtMs = systemClock.elapsedMs()
        await impactOf(reader, { dekId })
        sum.firstAnswerMs.push(systemClock.elapsedMs() - startedAtMs)
        await compareDek(reader, dekId, frames, scan.objects, sum)
      })
    }
    return sum
  }

  async #createTopic({ kafka }: StackEndpoints): Promise<void> {
    const { Kafka: Client, logLevel } = loadKafkajs()
    const brokers = [...kafka.brokers]
    const admin = new Client({ clientId: 'blast', brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: TOPIC, numPartitions: PARTITIONS }],
    })
    await admin.disconnect()
  }

  #writeConfig({ kafka, cassandra, s3, kms }: StackEndpoints): string {
    const { keyId, ...aws } = kms
    const path = join(this.#folder, 'sealstream.yaml')
    const tree = {
      kafka: {
        ...kafka,
        topics: [TOPIC],
        groupId: TOPIC,
        sessionTimeoutMs: '6s',
        heartbeatIntervalMs: '1s',
      },
      ...{ s3, cassandra: { ...cassandra, replicationFactor: 1 }, kms: { keyId, aws } },
      window: { messagesMax: Math.ceil(this.#options.messages / this.#options.deks) },
      http: { port: 0 },
    }
    writeFileSync(path, stringify(tree), { mode: 0o600 })
    return path
  }
}

/** Frame by frame, whatever the order. */
async function compareDek(
  reader: ImpactReader,
  dekId: string,
  frames: Frames,
  objects: ReadonlyMap<string, number>,
  sum: Comparison,
): Promise<void> {
  const expected = new Set<string>()
  const nameOf = (...place: number[]) => place.join(' ')
  for (const { object, partition, offset, position, length } of frames) {
    expected.add(nameOf(object, partition, offset, position, length))
  }
  for await (const { segment, frames: page } of impactPages(reader, { dekId })) {
    const object = objects.get(segment.objectKey)
    for (let i = 0; i < page.count; i++) {
      sum.listed++
      const source = page.sources[page.source[i] as number]
      const [offset, position, length] = [page.offset[i], page.position[i], page.length[i]]
      if (object === undefined && segment.state === 'intended') sum.withoutObject++
      else {
        const name = nameOf(
          object ?? -1,
          source?.partition ?? -1,
          ...([offset, position, length] as number[]),
        )
        if (!expected.delete(name)) sum.extra++
      }
    }
  }
  sum.missing += expected.size
}

function wrongOf(
  scan: BruteScan,
  { missing, extra, listed, firstAnswerMs }: Comparison,
  messages: number,
  kills: number,
): readonly string[] {
  const wrong: string[] = []
  const check = (isRight: boolean, what: string) => {
    if (!isRight) wrong.push(what)
  }
  check(kills > 0, 'nothing was killed')
  check(scan.frames >= messages, `${scan.frames} frames for ${messages} messages`)
  check(listed >= scan.frames, `${listed} messages are listed`)
  check(firstAnswerMs.length > 1, `${firstAnswerMs.length} DEKs`)
  check(missing === 0, `${missing} frames are in objects, and in no answer`)
  check(extra === 0, `${extra} frames are in answers, and in no object`)
  return wrong
}
