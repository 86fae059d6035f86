import {
  placeOf,
  type StartOffset,
  type TopicPartition,
} from '../../src/pipeline/message-source.ts'
import { ConsumerGroup } from './consumer-group.ts'
import type { Scheduler } from './scheduler.ts'
import { SourcePartition } from './source-log.ts'
import { type BrokerFlaws, type TransactionEvents, Transactions } from './transactions.ts'

/** One Kafka: source partitions, one consumer group, transactions. */
export class Kafka {
  readonly partitions: readonly SourcePartition[]
  readonly group: ConsumerGroup
  readonly transactions: Transactions
  readonly #byPlace: ReadonlyMap<string, SourcePartition>

  constructor(
    scheduler: Scheduler,
    { lanes, partitions }: { lanes: number; partitions: readonly TopicPartition[] },
    events: TransactionEvents,
    flaws: BrokerFlaws,
  ) {
    this.partitions = partitions.map((at) => new SourcePartition(at))
    this.#byPlace = new Map(this.partitions.map((partition) => [partition.place, partition]))
    this.group = new ConsumerGroup(scheduler, lanes, partitions, events.note)
    this.transactions = new Transactions(scheduler, events, flaws)
  }

  partition(at: TopicPartition): SourcePartition {
    return this.#byPlace.get(placeOf(at)) as SourcePartition
  }

  whenAppended(place: string, wake: () => void): void {
    this.#byPlace.get(place)?.whenAppended(wake)
  }

  /** The committed offset; the oldest one that is held where there is none. */
  startOffset(at: TopicPartition): StartOffset {
    const committed = this.transactions.committed.get(placeOf(at))
    const offset = committed ?? this.partition(at).startOffset
    return { ...at, offset, isCommitted: committed !== undefined }
  }
}
