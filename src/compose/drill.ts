import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraKekOrderLog } from '../adapters/cassandra/kek-order-log.ts'
import { produceCanary } from '../adapters/kafka/canary-producer.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import type { Config } from '../config/schema.ts'
import { SealError } from '../errors.ts'
import type { MessageCoordinates } from '../format/message.ts'
import { parseReferences } from '../format/reference-list.ts'
import type { Reference } from '../format/reference-value.ts'
import type { SealedReader } from '../reader/sealed-reader.ts'
import type { Canary, CanaryTopic } from '../response/canary.ts'
import type { DrillPorts } from '../response/drill.ts'
import { openedBy } from '../response/opened-by.ts'
import { type IncidentServices, withIncidents } from './incident.ts'
import { configuredKeksOf } from './keks.ts'
import { openKms, READER_TRIES_MAX } from './kms.ts'
import { createReader } from './reader.ts'
import { readReferences } from './references.ts'
import { cassandraOptionsOf, kafkaOptionsOf, kmsChoiceOf, s3OptionsOf } from './service-options.ts'

/** The section `drill` as it must be there. */
export type DrillSection = NonNullable<Config['drill']>

/** Drills as the configuration has them. Throws SEAL_CONFIG_INVALID when it has none. */
export function drillSectionOf({ drill }: Config): DrillSection {
  if (drill !== undefined) return drill
  const message = 'drill: is required for drills; it names the canary topic and its KEKs'
  throw new SealError('SEAL_CONFIG_INVALID', message)
}

/** The canary of a section. */
export function canaryOf({ topic, keks }: DrillSection): Canary {
  return { keyDomain: topic, keks }
}

/** Runs `work` with what a drill needs but for its steps, and ends the connections afterwards. */
export async function withDrill<T>(
  config: Config,
  work: (ports: Omit<DrillPorts, 'run' | 'onPhase'>, services: IncidentServices) => Promise<T>,
): Promise<T> {
  const section = drillSectionOf(config)
  return withIncidents(config, async (services) => {
    const session = await connectCassandra(cassandraOptionsOf(config))
    const topic = new ComposedCanary(config, section.topic)
    try {
      const { log, mapping, clock } = services
      const orders = new CassandraKekOrderLog(session)
      const configured = configuredKeksOf(config)
      return await work({ log, mapping, clock, orders, configured, topic }, services)
    } finally {
      await topic.close()
      await session.close()
    }
  })
}

/** The canary topic over Kafka, the bucket and the KMS of a configuration. */
class ComposedCanary implements CanaryTopic {
  readonly #config: Config
  readonly #topic: string
  readonly #readers = new Map<string, SealedReader>()

  constructor(config: Config, topic: string) {
    this.#config = config
    this.#topic = topic
  }

  produce(values: readonly Uint8Array[]): Promise<readonly MessageCoordinates[]> {
    const { by, header } = this.#config.keyDomain
    // The key domain of the canary has the name of its topic, whatever makes domains.
    const headers = by === 'header' && header !== undefined ? { [header]: this.#topic } : {}
    const place = { ...kafkaOptionsOf(this.#config), topic: this.#topic, headers }
    return produceCanary(place, values)
  }

  async references(
    messages: readonly MessageCoordinates[],
    signal: AbortSignal,
  ): Promise<readonly Reference[]> {
    const wanted = new Set(messages.map(nameOf))
    const found = new Map<string, Reference>()
    const enough = new AbortController()
    const selection = { topic: this.#topic, from: 'beginning', follow: true } as const
    const until = AbortSignal.any([signal, enough.signal])
    await readReferences(this.#config, { ...selection, signal: until }, async (values) => {
      for (const reference of values.flatMap((value) => parseReferences(value))) {
        if (wanted.has(nameOf(reference))) found.set(nameOf(reference), reference)
      }
      if (found.size === wanted.size) enough.abort()
    })
    return messages.flatMap((message) => found.get(nameOf(message)) ?? [])
  }

  open(references: readonly Reference[], kekIds: readonly string[]) {
    return this.#readerOf(kekIds).openReferences(references)
  }

  async openedBy(objectKeys: readonly string[], kekId: string): Promise<readonly string[]> {
    const objects = new S3ObjectReader(s3OptionsOf(this.#config))
    const kms = openKms(kmsChoiceOf(this.#config), { triesMax: READER_TRIES_MAX })
    try {
      return await openedBy({ objects, kms }, objectKeys, kekId)
    } finally {
      await Promise.all([objects.close(), kms.close()])
    }
  }

  async close(): Promise<void> {
    for (const reader of this.#readers.values()) await reader.close()
  }

  /** One for each set of KEKs; keys are kept for a moment only, so that each reading asks the KMS. */
  #readerOf(kekIds: readonly string[]): SealedReader {
    const name = kekIds.join('\n')
    const known = this.#readers.get(name)
    if (known !== undefined) return known
    const config = this.#config
    const reader = createReader({
      s3: { ...s3OptionsOf(config), prefix: config.s3.prefix },
      kms: { ...kmsChoiceOf(config), allowedKeyIds: kekIds },
      keyCache: { ttlMs: 1 },
    })
    this.#readers.set(name, reader)
    return reader
  }
}

function nameOf({ partition, offset }: Pick<MessageCoordinates, 'partition' | 'offset'>): string {
  return `${partition}@${offset}`
}
