import { systemClock } from '../../clock.ts'
import type { Cluster } from './kafka-cluster.ts'
import { kafkaError } from './kafka-errors.ts'
import { METADATA, type Metadata, metadataCall, type TopicMetadata } from './topic-ids.ts'

/** The errors of a topic by which it is told from a broker that does not answer. */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  17: 'INVALID_TOPIC_EXCEPTION',
  29: 'TOPIC_AUTHORIZATION_FAILED',
}

/** A topic that is missing is given five seconds: whoever creates it again may be about to. */
const MISSING_TRIES_MAX = 20
const MISSING_RETRY_MS = 250

/**
 * Remembers topics by their ids from the first time on that it is asked for them, and tells when one was
 * deleted and created again under its name. Connects by itself; close at the end.
 */
export class KnownTopics {
  readonly #cluster: Cluster
  readonly #brokers: readonly string[]
  readonly #ids = new Map<string, string>()

  /** Of a cluster of its own, which need not be connected; `brokers` are named where none answers. */
  constructor(cluster: Cluster, brokers: readonly string[]) {
    this.#cluster = cluster
    this.#brokers = brokers
  }

  /**
   * Those of `topics` that are others by now than when they were first asked for. Whatever any broker
   * gave out before the call was of the topics that are not among them. Brokers that know no ids (Kafka
   * before 2.8) give no reason to doubt. Rejects with SEAL_TOPIC_MISSING, SEAL_KAFKA_REFUSED or
   * SEAL_KAFKA_UNAVAILABLE.
   */
  async recreated(topics: readonly string[]): Promise<ReadonlySet<string>> {
    const names = [...new Set(topics)]
    for (let tries = 1; ; tries++) {
      try {
        const told = await this.#told(names)
        return new Set(names.filter((topic) => this.#isOther(topic, told)))
      } catch (cause) {
        const error = kafkaError(cause, 'looking topics up', this.#brokers)
        if (error.code !== 'SEAL_TOPIC_MISSING' || tries >= MISSING_TRIES_MAX) throw error
        await systemClock.sleep(MISSING_RETRY_MS)
      }
    }
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect().catch(() => {})
  }

  #isOther(topic: string, told: readonly TopicMetadata[]): boolean {
    const answers = told.filter((answer) => answer.topic === topic)
    const known = answers.filter(({ errorCode }) => errorCode === 0)
    if (known.length === 0) throw topicError(topic, answers[0]?.errorCode ?? 0)
    const ids = known.flatMap(({ id }) => id ?? [])
    const first = this.#ids.get(topic) ?? ids[0]
    if (first !== undefined) this.#ids.set(topic, first)
    return ids.some((id) => id !== first)
  }

  /**
   * What all brokers say that answer. One of them alone may not have heard yet of a topic of which another
   * gives messages out; the one that gave them out has.
   */
  async #told(topics: readonly string[]): Promise<readonly TopicMetadata[]> {
    await this.#cluster.connect()
    await this.#cluster.addMultipleTargetTopics(topics)
    const asked = new Set(this.#cluster.getNodeIds())
    let answers = await this.#ask(topics)
    if (answers.some(({ nodeIds }) => nodeIds.some((nodeId) => !asked.has(String(nodeId))))) {
      await this.#cluster.refreshMetadata()
      answers = await this.#ask(topics)
    }
    return answers.flatMap((answer) => answer.topics)
  }

  async #ask(topics: readonly string[]): Promise<readonly Metadata[]> {
    const nodeIds = this.#cluster.getNodeIds()
    const asked = nodeIds.map((nodeId) => this.#askBroker(nodeId, topics))
    const settled = await Promise.allSettled(asked)
    const answers = settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
    if (answers.length === 0) await Promise.all(asked)
    // One that does not answer holds up every transaction until the client hears that it is gone.
    if (answers.length < asked.length) await this.#cluster.refreshMetadata().catch(() => {})
    return answers
  }

  async #askBroker(nodeId: string, topics: readonly string[]): Promise<Metadata> {
    const { versions, connectionPool } = await this.#cluster.findBroker({ nodeId })
    if ((versions[METADATA.apiKey]?.maxVersion ?? 0) >= METADATA.apiVersion) {
      return connectionPool.send(metadataCall(topics))
    }
    return { nodeIds: [], topics: topics.map((topic) => ({ topic, errorCode: 0, id: null })) }
  }
}

function topicError(topic: string, errorCode: number): Error {
  const error = new Error(`topic ${topic} has error code ${errorCode}`)
  return Object.assign(error, { type: ERROR_TYPES[errorCode] ?? '' })
}
