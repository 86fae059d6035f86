import {
  type LogBounds,
  type MessageSource,
  placeOf,
  recreatedError,
  type SourceHandler,
  type StartOffset,
  type TopicPartition,
} from '../../src/pipeline/message-source.ts'
import { Gate } from './gate.ts'

type Offset = TopicPartition & { readonly offset: number }

/** A source without a log: a test hands batches over itself and sees what the road asks for. */
export class MemoryMessageSource implements MessageSource {
  readonly clusterId = 'cluster-a'
  /** Committed offsets by place; 0 where there is none. */
  readonly committed = new Map<string, number>()
  /** Oldest offsets by place; 0 where there is none. */
  readonly oldest = new Map<string, number>()
  /** Ends by place; beyond everything where there is none. */
  readonly ends = new Map<string, number>()
  /** Topics that were deleted and created again. */
  readonly recreated = new Set<string>()
  /** Holds `confirm`. */
  readonly confirmGate = new Gate()
  isHeard = true
  readonly seeks: Offset[] = []
  readonly paused: TopicPartition[] = []
  /** Thrown by the next calls that ask Kafka, one each. */
  readonly failures: Error[] = []
  isStopped = false
  readonly #journal: string[]
  #handler: SourceHandler | null = null

  constructor(journal: string[]) {
    this.#journal = journal
  }

  get handler(): SourceHandler {
    if (this.#handler === null) throw new Error('the source was not started')
    return this.#handler
  }

  async start(handler: SourceHandler): Promise<void> {
    this.#handler = handler
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    this.#journal.push(`seek ${topic}/${partition} ${offset}`)
    this.seeks.push({ topic, partition, offset })
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) {
      const isPaused = this.paused.some((at) => at.topic === topic && at.partition === partition)
      if (!isPaused) this.paused.push({ topic, partition })
    }
  }

  async startOffsets(partitions: readonly TopicPartition[]): Promise<StartOffset[]> {
    this.#journal.push('startOffsets')
    this.#failIfAsked()
    const own = partitions.filter(({ topic }) => !this.recreated.has(topic))
    return own.map((at) => {
      const committed = this.committed.get(placeOf(at))
      const offset = committed ?? this.oldest.get(placeOf(at)) ?? 0
      return { ...at, offset, isCommitted: committed !== undefined }
    })
  }

  async confirm(partitions: readonly TopicPartition[]): Promise<void> {
    await this.confirmGate.pass()
    this.#failIfAsked()
    for (const { topic } of partitions) if (this.recreated.has(topic)) throw recreatedError(topic)
  }

  async logBounds(at: TopicPartition): Promise<LogBounds> {
    this.#failIfAsked()
    const end = this.ends.get(placeOf(at)) ?? Number.POSITIVE_INFINITY
    return { oldest: this.oldest.get(placeOf(at)) ?? 0, end }
  }

  isMember(): boolean {
    return this.isHeard
  }

  async stop(): Promise<void> {
    this.isStopped = true
  }

  #failIfAsked(): void {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
  }
}
