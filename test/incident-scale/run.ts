import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
} from '@aws-sdk/client-kms'
import { stringify } from 'yaml'
import { resetStack, type StackEndpoints, startStack } from '../../docker/stack/stack.ts'
import { loadKafkajs } from '../../src/adapters/kafka/load-kafkajs.ts'
import { S3ObjectInventory } from '../../src/adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../../src/adapters/s3/s3-object-reader.ts'
import { systemClock } from '../../src/clock.ts'
import { openKms } from '../../src/compose/kms.ts'
import { readReferences } from '../../src/compose/references.ts'
import { kmsChoiceOf, s3OptionsOf } from '../../src/compose/service-options.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import type { Config } from '../../src/config/schema.ts'
import { parseReference, type Reference } from '../../src/format/reference-value.ts'
import { createReader } from '../../src/index.ts'
import { openedBy } from '../../src/response/opened-by.ts'
import { segmentFolder } from '../../src/segment/object-key.ts'
import { Encryptor } from '../faults/chaos/encryptor.ts'
import { RunLog } from '../faults/chaos/run-log.ts'
import { IncidentCommands } from './incident-commands.ts'
import { NumberedLoad } from './numbered-load.ts'
import type { ScaleOptions } from './options.ts'
import { RandomReaders } from './random-readers.ts'

const GIB = 1024 ** 3
const TOPIC = 'nuclear'
const PARTITIONS = 4
const SEALED_WITHIN_MS = 30 * 60_000
const POLL_MS = 500

/** One run from the first service to the last check. */
export class ScaleRun {
  readonly #folder: string
  readonly #options: ScaleOptions
  readonly #log: RunLog

  /** `folder` is the run's own, and exists. */
  constructor(folder: string, options: ScaleOptions) {
    this.#folder = folder
    this.#options = options
    this.#log = new RunLog(join(folder, 'nuclear.log'))
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
    const { keyId: _, ...service } = endpoints.kms
    const admin = new KMSClient({ ...service, credentials: { ...service } })
    const newKey = async () =>
      (await admin.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId as string
    const [oldKek, newKek] = [await newKey(), await newKey()]
    const path = this.#writeConfig(endpoints, oldKek, newKek)
    const { config } = loadConfig({ file: path, env: {} })
    const load = this.#load()
    await createTopic(endpoints)
    const encryptor = new Encryptor(path, join(this.#folder, 'encryptor.log'))
    try {
      const references = await this.#seal(endpoints, config, load)
      const kms = { ...service, allowedKeyIds: [oldKek, newKek] }
      const s3 = { ...endpoints.s3, prefix: config.s3.prefix }
      const reader = createReader({ s3, kms, keyCache: { ttlMs: 1_000 } })
      const readers = new RandomReaders(reader, references, load)
      readers.start(this.#options.readers)
      const commands = new IncidentCommands(path, (text) => this.#log.note(text))
      const startedAtMs = systemClock.elapsedMs()
      const incidentId = await commands.declare(oldKek, newKek)
      this.#log.note(`incident ${incidentId} is declared`)
      const incident = await commands.runThroughKills(incidentId)
      const incidentSeconds = (systemClock.elapsedMs() - startedAtMs) / 1000
      const readings = await readers.stop()
      await reader.close()
      this.#log.note(`closed; ${readings.read} readings, ${readings.failed} failed`)

      // Switched on once more: a key that is off opens nothing anyway.
      await admin.send(new EnableKeyCommand({ KeyId: oldKek }))
      const openedWhileOn = await this.#tryAll(config, oldKek)
      await admin.send(new DisableKeyCommand({ KeyId: oldKek }))
      const openedWhileOff = await this.#tryAll(config, oldKek)
      this.#log.note(`${openedWhileOn.tried} objects tried with the old KEK`)
      const last = createReader({ s3, kms: { ...service, allowedKeyIds: [newKek] } })
      const all = await new RandomReaders(last, references, load).readAll()
      await last.close()
      this.#log.note(`${all.read} messages opened by the new KEK alone`)
      const verified = await commands.run(['verify', '--json'])
      return {
        ...{ gigabytes: load.bytes / GIB, messages: load.messages, incidentSeconds, incidentId },
        ...{ times: incident.times, state: incident.state },
        steps: incident.steps.map(({ step, attempts, durationMs, details }) => ({
          ...{ step, attempts, durationMs, bytes: details.bytes ?? null },
        })),
        readings,
        oldKek: { whileOn: openedWhileOn, whileOff: openedWhileOff },
        newKekAlone: all,
        verifyCode: verified.code,
        wrong: wrongOf({ readings, all, openedWhileOn, openedWhileOff, load, incident, verified }),
      }
    } finally {
      encryptor.kill('SIGTERM')
      await encryptor.ended
      admin.destroy()
    }
  }

  #load(): NumberedLoad {
    const { gigabytes, messageBytes: valueBytes } = this.#options
    const messagesPerPartition = Math.ceil((gigabytes * GIB) / valueBytes / PARTITIONS)
    const shape = { topic: TOPIC, partitions: PARTITIONS }
    return new NumberedLoad({ ...shape, messagesPerPartition, valueBytes })
  }

  /** Produces and waits until everything is sealed; returns the references. */
  async #seal(
    { kafka }: StackEndpoints,
    config: Config,
    load: NumberedLoad,
  ): Promise<readonly Reference[]> {
    this.#log.note(`${load.messages} messages are produced and sealed`)
    await load.produce(kafka.brokers[0] as string, () => {})
    this.#log.note('produced')
    const references: Reference[] = []
    const enough = new AbortController()
    const signal = AbortSignal.any([enough.signal, AbortSignal.timeout(SEALED_WITHIN_MS)])
    // Names that thousands of references share are kept once.
    const objects = new Map<string, string>()
    const selection = { topic: TOPIC, from: 'beginning', follow: true, signal } as const
    await readReferences(config, selection, async (values) => {
      for (const value of values) {
        const reference = parseReference(value)
        const object = objects.get(reference.object) ?? reference.object
        objects.set(object, object)
        references.push({ ...reference, object, topic: TOPIC })
      }
      if (references.length >= load.messages) enough.abort()
    })
    if (references.length !== load.messages) {
      throw new Error(`${references.length} of ${load.messages} messages were sealed`)
    }
    this.#log.note(`sealed into ${objects.size} objects`)
    await systemClock.sleep(POLL_MS)
    return references
  }

  /** Tries the KEK on the wrap of every object there is. */
  async #tryAll(config: Config, kekId: string) {
    const inventory = new S3ObjectInventory(s3OptionsOf(config))
    const objects = new S3ObjectReader(s3OptionsOf(config))
    const kms = openKms(kmsChoiceOf(config), { triesMax: 4 })
    let tried = 0
    const keys = async function* () {
      for await (const { key } of inventory.objects(segmentFolder(config.s3))) yield key
    }
    try {
      const opened = await openedBy({ objects, kms }, keys(), kekId, () => tried++)
      return { tried, opened: opened.length }
    } finally {
      await Promise.all([inventory.close(), objects.close(), kms.close()])
    }
  }

  #writeConfig(endpoints: StackEndpoints, oldKek: string, newKek: string): string {
    const { kafka, cassandra, s3, kms } = endpoints
    const { keyId: _, ...aws } = kms
    const path = join(this.#folder, 'sealstream.yaml')
    const tree = {
      kafka: { ...kafka, topics: [TOPIC], groupId: 'nuclear', lanes: PARTITIONS },
      ...{ s3, cassandra: { ...cassandra, replicationFactor: 1 } },
      kms: { keyId: oldKek, allowedKeyIds: [newKek], aws },
      ...{ segment: { ageMs: '5s' }, window: { ageMs: '20s' }, http: { port: 0 } },
    }
    writeFileSync(path, stringify(tree), { mode: 0o600 })
    return path
  }
}

function wrongOf({
  readings,
  all,
  openedWhileOn,
  openedWhileOff,
  load,
  incident,
  verified,
}: {
  readonly readings: RandomReaders['outcome']
  readonly all: RandomReaders['outcome']
  readonly openedWhileOn: { readonly tried: number; readonly opened: number }
  readonly openedWhileOff: { readonly tried: number; readonly opened: number }
  readonly load: NumberedLoad
  readonly incident: { readonly state: string }
  readonly verified: { readonly code: number | null }
}): readonly string[] {
  const wrong: string[] = []
  const check = (isRight: boolean, what: string) => {
    if (!isRight) wrong.push(what)
  }
  check(incident.state === 'closed', `the incident is ${incident.state}`)
  check(readings.read > 0, 'nobody read anything while it ran')
  check(readings.failed + readings.wrong === 0, `readings: ${readings.firstFailure}`)
  check(all.failed + all.wrong === 0, `the new KEK alone: ${all.firstFailure}`)
  check(all.read === load.messages, `${all.read} of ${load.messages} opened in the end`)
  check(openedWhileOn.tried > 0, 'there is no object')
  check(openedWhileOn.opened === 0, `the old KEK opens ${openedWhileOn.opened} objects`)
  check(openedWhileOff.opened === 0, 'the old KEK opens objects though it is off')
  check(verified.code === 0, `verify ended with ${verified.code}`)
  return wrong
}

async function createTopic({ kafka }: StackEndpoints): Promise<void> {
  const { Kafka: Client, logLevel } = loadKafkajs()
  const brokers = [...kafka.brokers]
  const admin = new Client({ clientId: 'nuclear', brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] })
  await admin.disconnect()
}
