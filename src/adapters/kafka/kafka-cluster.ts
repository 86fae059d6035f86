import type { AbortedTransaction } from './committed-records.ts'
import { createKafka, type KafkaOptions } from './kafka-client.ts'
import type { RecordSet } from './record-batch.ts'

/** What lies under all clients of kafkajs; it has no name in its types. */
export interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  refreshMetadata(): Promise<void>
  getNodeIds(): readonly string[]
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[]
  fetchTopicsOffset(topics: readonly object[]): Promise<readonly TopicOffsets[]>
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>
  findBroker(node: { nodeId: string }): Promise<Broker>
}

/** A broker that is connected. */
export interface Broker {
  /** The versions of requests that it takes, by api key. */
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>>
  readonly connectionPool: { send<T>(call: ProtocolCall<T>): Promise<T> }
  fetch(request: object): Promise<{ readonly responses: readonly TopicResponse[] }>
}

/** A request of the protocol and how its response is read. */
export interface ProtocolCall<T> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: { decode(payload: Buffer): Promise<T>; parse(decoded: T): Promise<T> }
}

interface TopicOffsets {
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
}

interface TopicResponse {
  readonly partitions: readonly {
    readonly lastStableOffset: string
    readonly abortedTransactions: readonly AbortedTransaction[] | null
    readonly messages: RecordSet
  }[]
}

const READ_UNCOMMITTED = 0
const METADATA_AGE_MS_MAX = 60_000

/** A cluster of its own, with connections of its own. Nothing is connected yet. */
export function clusterOf(options: KafkaOptions): Cluster {
  const kafka = createKafka(options)
  const create = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )
  const made = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[create as symbol]
  if (made === undefined) throw new Error('this kafkajs makes its cluster in another way')
  return made({
    metadataMaxAge: METADATA_AGE_MS_MAX,
    allowAutoTopicCreation: false,
    // Of the offsets that are asked for; fetches say their own.
    isolationLevel: READ_UNCOMMITTED,
  })
}
