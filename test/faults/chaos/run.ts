import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Kafka } from 'kafkajs'
import { stringify } from 'yaml'
import { loadKafkajs } from '../../../src/adapters/kafka/load-kafkajs.ts'
import { systemClock } from '../../../src/clock.ts'
import { messageOf } from '../../../src/errors.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { Disturbances } from './disturbances.ts'
import { Fleet } from './fleet.ts'
import { Ledger } from './ledger.ts'
import { Load } from './load.ts'
import type { ChaosOptions } from './options.ts'
import { Progress } from './progress.ts'
import { checkLedger, runCommand } from './proof.ts'
import { RunLog, secondsText } from './run-log.ts'
import { Services } from './services.ts'
import { Storyline } from './storyline.ts'
import { findingsOf, type Outcome, summaryLines } from './summary.ts'
import { Sweeps } from './sweeps.ts'

const MINUTE_MS = 60_000
const ENCRYPTORS = 3
const TOPICS = ['orders', 'payments']
const PARTITIONS = 4
const GROUP = 'chaos'
const SEALED_WITHIN_MS = 10 * MINUTE_MS
/** Short, so that what the dead leave behind is old enough to be swept within a run. */
const PUBLISH_WITHIN_MS = 45_000
const SWEEP_AGE_MS = 3 * PUBLISH_WITHIN_MS

/** One run from the first service to the last check. */
export class ChaosRun {
  readonly #folder: string
  readonly #options: ChaosOptions
  readonly #log: RunLog
  readonly #configPath: string
  #services: Services | null = null
  #fleet: Fleet | null = null

  /** `folder` is the run's own, and exists. */
  constructor(folder: string, options: ChaosOptions) {
    this.#folder = folder
    this.#options = options
    this.#log = new RunLog(join(folder, 'chaos.log'))
    this.#configPath = join(folder, 'sealstream.yaml')
  }

  /** Resolves with what was found wrong. Everything is ended then; the folder stays. */
  async run(signal: AbortSignal): Promise<readonly string[]> {
    const { minutes, seed, rate } = this.#options
    this.#log.write(`chaos: seed ${seed}, ${minutes} minutes, ${rate} messages a second`)
    this.#services = await Services.start(join(this.#folder, 'stack'))
    try {
      const outcome = await this.#play(this.#services, signal)
      for (const line of summaryLines(outcome)) this.#log.write(line)
      return findingsOf(outcome)
    } catch (error) {
      this.#log.note(`the run cannot go on: ${messageOf(error)}`)
      throw error
    } finally {
      this.#fleet?.killAll()
      await this.#services.close()
    }
  }

  async #play(services: Services, signal: AbortSignal): Promise<Outcome> {
    const { seed, rate, minutes } = this.#options
    writeConfig(this.#configPath, services)
    const { brokers } = services.endpoints.kafka
    const { Kafka: Client, logLevel } = loadKafkajs()
    const kafka = new Client({
      ...{ clientId: 'chaos', brokers: [...brokers], logLevel: logLevel.NOTHING },
      ...{ requestTimeout: 5_000, connectionTimeout: 2_000, retry: { retries: 1 } },
    })
    await createTopics(kafka)
    const progress = await Progress.connect(kafka, GROUP, TOPICS)
    const ledger = new Ledger()
    this.#fleet = new Fleet(this.#folder, this.#configPath, ENCRYPTORS, this.#log)
    const target = { kafka, broker: brokers[0] as string, topics: TOPICS, rate }
    const load = new Load({ ...target, partitions: PARTITIONS }, new SeededRandom(seed + 1), ledger)
    const random = new SeededRandom(seed)
    const sweeps = new Sweeps(this.#configPath, `${SWEEP_AGE_MS}ms`, this.#log)
    const disturbances = new Disturbances(random, services, this.#fleet, sweeps)
    const story = await new Storyline(random, disturbances, progress, this.#log).run(
      minutes * MINUTE_MS,
      signal,
    )
    this.#log.note('the events are over; the load ends')
    await load.close()
    const end = await this.#end(progress, this.#fleet)
    // Until the last orphan is old enough.
    await systemClock.sleep(SWEEP_AGE_MS, signal)
    await sweeps.sweep()
    return {
      ...{ story, ...end, sweeps, fleet: this.#fleet, totals: ledger.totals },
      ...(await this.#prove(ledger)),
    }
  }

  /** Lets the encryptors come to the end of what there is, and ends them. */
  async #end(progress: Progress, fleet: Fleet): Promise<Pick<Outcome, 'behind' | 'endedWell'>> {
    const sealedMs = await progress.caughtUp(SEALED_WITHIN_MS)
    const behind = sealedMs === null ? await progress.behind() : []
    this.#log.note(
      sealedMs === null
        ? 'not everything is sealed'
        : `sealed to the end in ${secondsText(sealedMs)}`,
    )
    await progress.close()
    const endedWell = await fleet.close()
    this.#log.note(endedWell ? 'all encryptors ended as asked' : 'an encryptor did not end well')
    return { behind, endedWell }
  }

  async #prove(ledger: Ledger): Promise<Pick<Outcome, 'verify' | 'verdict'>> {
    const verify = await runCommand(['verify', '--config', this.#configPath])
    this.#log.note(`sealstream verify: exit code ${verify.code}`)
    const startedAtMs = systemClock.elapsedMs()
    const verdict = await checkLedger(this.#configPath, TOPICS, ledger)
    const elapsedMs = systemClock.elapsedMs() - startedAtMs
    this.#log.note(`${verdict.checked} references opened in ${secondsText(elapsedMs)}`)
    return { verify, verdict }
  }
}

function writeConfig(path: string, { endpoints }: Services): void {
  const { kafka, cassandra, s3, kms } = endpoints
  const { keyId, ...aws } = kms
  const config = {
    kafka: {
      ...kafka,
      ...{ topics: TOPICS, groupId: GROUP, lanes: PARTITIONS, requestTimeoutMs: '10s' },
      ...{ sessionTimeoutMs: '6s', heartbeatIntervalMs: '1s', transactionTimeoutMs: '20s' },
    },
    s3: { ...s3, requestTimeoutMs: '10s' },
    cassandra: { ...cassandra, replicationFactor: 1, requestTimeoutMs: '5s' },
    kms: { keyId, aws, requestTimeoutMs: '5s' },
    segment: { ageMs: '500ms', publishWithinMs: PUBLISH_WITHIN_MS },
    window: { ageMs: '15s', messagesMax: 5_000 },
    workers: { threads: 1 },
    http: { port: 0 },
  }
  writeFileSync(path, stringify(config), { mode: 0o600 })
}

async function createTopics(kafka: Kafka): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const topics = TOPICS.map((topic) => ({ topic, numPartitions: PARTITIONS }))
  await admin.createTopics({ topics })
  await admin.disconnect()
}
