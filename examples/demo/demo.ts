import { cpSync, existsSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Kafka } from 'kafkajs'
import { isAlive } from '../../docker/stack/process-identity.ts'
import { expectShortLives } from '../../docker/stack/short-lived.ts'
import {
  resetStack,
  type StackEndpoints,
  stackStatus,
  startStack,
} from '../../docker/stack/stack.ts'
import { eventLine } from '../../docker/stack/stack-terminal.ts'
import { createKafka } from '../../src/adapters/kafka/kafka-client.ts'
import { systemClock } from '../../src/clock.ts'
import { EncryptorProcess, endKept, keepRecord, keptEncryptor } from './encryptor.ts'
import { freePort, writeConfig } from './encryptor-config.ts'
import { bytes, count, counted } from './figures.ts'
import { checkImpact, deksInLog } from './impact-check.ts'
import { keptHints } from './kept-hints.ts'
import { checkKeyBytes } from './key-check.ts'
import { Ledger } from './ledger.ts'
import type { Load } from './load.ts'
import { checkPlaintext } from './plaintext-check.ts'
import { createTopic, type Produced, produceLoad } from './producer.ts'
import { type ReadBackFigures, type ReferencesByObject, readBack } from './read-back.ts'
import type { DemoReport } from './report.ts'
import { SamplePicker } from './samples.ts'
import type { Progress, Screen } from './screen.ts'
import { type SealFigures, watchSealing } from './seal-load.ts'

/** What a run of the demo needs to know. */
export interface DemoOptions {
  /** Absolute; services, logs and results live there, and what was there before is deleted. */
  readonly directory: string
  readonly loads: readonly Load[]
  /** Leaves services and an encryptor running. */
  readonly keep: boolean
}

/** A finished run: its report, and hints when it was kept. */
export interface DemoOutcome {
  readonly report: DemoReport
  readonly hints: readonly string[]
}

/**
 * Ends what an earlier run left and deletes it; its report and the logs of a failure stay.
 * True when there was something running.
 */
export async function endDemo(directory: string): Promise<boolean> {
  const hadEncryptor = await endKept(filesOf(directory))
  const ended = await resetStack(directory)
  rmSync(filesOf(directory), { recursive: true, force: true })
  return hadEncryptor || ended.length > 0
}

/** True while anything runs that an earlier run was asked to keep. */
export async function isKept(directory: string): Promise<boolean> {
  const encryptor = keptEncryptor(filesOf(directory))
  if (encryptor === null) return false
  if (await isAlive(encryptor)) return true
  const { parts } = await stackStatus(directory)
  return parts.some(({ state }) => state !== 'down')
}

/** Where the logs of everything stay after a failure, until the next run. */
export function failedLogsOf(directory: string): string {
  return join(directory, 'failed-logs')
}

/**
 * The whole demo, chapter by chapter. Whatever happens, it leaves no process behind, unless the
 * run succeeds and is to be kept. Rejects with the reason of `signal` when that aborts.
 */
export async function runDemo(
  options: DemoOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<DemoOutcome> {
  const { directory, keep } = options
  await endDemo(directory)
  rmSync(failedLogsOf(directory), { recursive: true, force: true })
  const run = new DemoRun(options, screen, signal)
  let isKept = false
  try {
    const outcome = await run.play()
    isKept = keep
    return outcome
  } catch (error) {
    if (!signal.aborted) keepLogs(directory)
    throw error
  } finally {
    if (!isKept) {
      await run.end()
      await endDemo(directory)
    }
  }
}

function keepLogs(directory: string): void {
  for (const folder of [join(directory, 'logs'), filesOf(directory)]) {
    if (!existsSync(folder)) continue
    const filter = (path: string) => path === folder || path.endsWith('.log')
    cpSync(folder, failedLogsOf(directory), { recursive: true, filter })
  }
}

function filesOf(directory: string): string {
  return join(directory, 'encryptor')
}

/** One run, with what its chapters share. */
class DemoRun {
  readonly #options: DemoOptions
  readonly #screen: Screen
  readonly #signal: AbortSignal
  readonly #files: string
  readonly #ledger = new Ledger()
  readonly #samples: SamplePicker[] = []
  #encryptor: EncryptorProcess | null = null

  constructor(options: DemoOptions, screen: Screen, signal: AbortSignal) {
    this.#options = options
    this.#screen = screen
    this.#signal = signal
    this.#files = filesOf(options.directory)
  }

  async play(): Promise<DemoOutcome> {
    const beganMs = systemClock.elapsedMs()
    const endpoints = await this.#startServices()
    const { brokers } = endpoints.kafka
    const kafka = createKafka({ brokers, clientId: 'demo', requestTimeoutMs: 30_000 })
    const produced = await this.#produce(kafka)
    const loads = await this.#seal(endpoints, produced)
    const { figures, references } = await this.#readBack(kafka, endpoints, produced)

    this.#screen.heading('Asking what a data key protected, looking for plaintext and key bytes')
    const dekId = this.#someDek(produced)
    const configPath = join(this.#files, 'sealstream.yaml')
    const httpPort = await freePort()
    writeConfig(configPath, endpoints, this.#topics, httpPort)
    const impact = await checkImpact(configPath, dekId, references, this.#signal)
    const samples = this.#samples.flatMap((picker) => picker.samples)
    const plaintext = await checkPlaintext(this.#options.directory, samples)
    const keyBytes = await checkKeyBytes(this.#options.directory, endpoints)
    this.#signal.throwIfAborted()

    const hints = this.#options.keep ? await this.#keep(endpoints, configPath, httpPort, dekId) : []
    const elapsedSeconds = (systemClock.elapsedMs() - beganMs) / 1000
    const machine = {
      cores: availableParallelism(),
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
    }
    return {
      report: { machine, loads, readBack: figures, impact, plaintext, keyBytes, elapsedSeconds },
      hints,
    }
  }

  /** Ends the encryptor, if one runs. */
  async end(): Promise<void> {
    await this.#encryptor?.stop()
    this.#encryptor = null
  }

  get #topics(): string[] {
    return this.#options.loads.map(({ topic }) => topic)
  }

  async #startServices(): Promise<StackEndpoints> {
    const { directory } = this.#options
    this.#screen.heading('Starting Kafka, Cassandra, S3 and KMS (absent ones are installed first)')
    expectShortLives()
    const endpoints = await startStack({
      directory,
      ports: 'free',
      report: (event) => this.#screen.line(`  ${eventLine(event, this.#screen.paint)}`),
    })
    this.#signal.throwIfAborted()
    return endpoints
  }

  async #produce(kafka: Kafka): Promise<Produced[]> {
    this.#screen.heading('Producing plaintext to Kafka')
    const all: Produced[] = []
    for (const load of this.#options.loads) {
      await createTopic(kafka, load.topic)
      const samples = new SamplePicker()
      this.#samples.push(samples)
      const produced = await this.#step(
        load.topic,
        load.messages,
        async (progress) => {
          const notes = { ledger: this.#ledger, samples, progress }
          return produceLoad(kafka, load, notes, this.#signal)
        },
        (result) => bytes(result.bytes),
      )
      all.push(produced)
    }
    return all
  }

  /** Each load by an encryptor of its own, so that rates, latencies and CPU are that load's alone. */
  async #seal(endpoints: StackEndpoints, produced: readonly Produced[]): Promise<SealFigures[]> {
    this.#screen.heading('Sealing: an encryptor for each topic, one after the other')
    const all: SealFigures[] = []
    for (const one of produced) {
      const encryptor = await this.#startEncryptor(endpoints, `seal-${one.topic}`, [one.topic])
      const figures = await this.#step(
        one.topic,
        one.messages,
        (progress) => watchSealing(encryptor, one, endpoints.processes, progress, this.#signal),
        (result) => `${count(result.messagesPerSecond)} msg/s from first fetch to last commit`,
      )
      all.push(figures)
      await this.end()
    }
    return all
  }

  async #readBack(
    kafka: Kafka,
    endpoints: StackEndpoints,
    produced: readonly Produced[],
  ): Promise<{ figures: ReadBackFigures; references: ReferencesByObject }> {
    this.#screen.heading('Reading every message back through its reference')
    const total = produced.reduce((sum, { messages }) => sum + messages, 0)
    const topics = this.#topics.map((topic) => `${topic}.sealed`)
    return this.#step(
      'all topics',
      total,
      (progress) => readBack(kafka, endpoints, topics, this.#ledger, progress, this.#signal),
      () => 'all equal, each once',
    )
  }

  /** A data key of the last topic; there is one, since its messages were sealed. */
  #someDek(produced: readonly Produced[]): string {
    const topic = produced.at(-1)?.topic ?? ''
    const [dekId = ''] = deksInLog(join(this.#files, `seal-${topic}.log`))
    this.#screen.line(`  data key of ${topic}: ${dekId}`)
    return dekId
  }

  async #keep(
    endpoints: StackEndpoints,
    configPath: string,
    httpPort: number,
    dekId: string,
  ): Promise<string[]> {
    const place = { name: 'sealstream', folder: this.#files, configPath, httpPort }
    const encryptor = new EncryptorProcess(place)
    this.#encryptor = encryptor
    await encryptor.ready(this.#signal)
    await keepRecord(this.#files, encryptor.pid)
    const topics = this.#topics
    const workingDirectory = process.cwd()
    this.#screen.line(`  ${counted(topics.length, 'topic')} sealed by a lasting encryptor`)
    return keptHints({ endpoints, configPath, httpPort, topics, dekId, workingDirectory })
  }

  async #startEncryptor(
    endpoints: StackEndpoints,
    name: string,
    topics: readonly string[],
  ): Promise<EncryptorProcess> {
    const configPath = join(this.#files, `${name}.yaml`)
    const httpPort = await freePort()
    writeConfig(configPath, endpoints, topics, httpPort)
    this.#encryptor = new EncryptorProcess({ name, folder: this.#files, configPath, httpPort })
    return this.#encryptor
  }

  /** Runs one step under a progress bar that is taken away however the step ends. */
  async #step<T>(
    title: string,
    total: number | null,
    work: (progress: Progress) => Promise<T>,
    note: (result: T) => string,
  ): Promise<T> {
    const progress = this.#screen.progress(title, total)
    try {
      const result = await work(progress)
      progress.done(note(result))
      return result
    } finally {
      progress.close()
    }
  }
}
