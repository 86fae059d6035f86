import { SealError } from '../../src/errors.ts'
import type { Message, MessageContent } from '../../src/format/message.ts'
import type {
  AtOpenTransaction,
  LogBounds,
  LogChunk,
  Place,
  RecordLog,
} from '../../src/verify/ports.ts'

/** What stands at an offset: a message, or a marker and the like, or a record of an open transaction. */
type Entry =
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'marker' | 'open'; readonly offset: number }

interface Partition {
  entries: Entry[]
  oldest: number
  end: number
}

/** Small, so that every test crosses the borders of chunks. */
const CHUNK_ENTRIES = 7

/** A record log in memory, held to the same contract as the one over Kafka. */
export class MemoryRecordLog implements RecordLog {
  readonly #topics = new Map<string, Partition[]>()
  readonly #compacted = new Set<string>()
  readonly #committed = new Map<string, Map<number, number>>()

  createTopic(topic: string, partitions: number, isCompacted = false): void {
    const made = Array.from({ length: partitions }, () => ({ entries: [], oldest: 0, end: 0 }))
    this.#topics.set(topic, made)
    if (isCompacted) this.#compacted.add(topic)
  }

  /** Appends a message and returns its offset. */
  append({ topic, partition }: Place, content: MessageContent): number {
    const log = this.#at({ topic, partition })
    const offset = log.end++
    log.entries.push({ kind: 'message', message: { topic, partition, offset, ...content } })
    return offset
  }

  /** Appends what takes an offset and is no committed message. */
  appendOther(at: Place, kind: 'marker' | 'open'): number {
    const log = this.#at(at)
    log.entries.push({ kind, offset: log.end })
    return log.end++
  }

  /** What compaction does to a record. */
  erase(at: Place, offset: number): void {
    const log = this.#at(at)
    log.entries = log.entries.filter((entry) => offsetOf(entry) !== offset)
  }

  /** What retention does. */
  deleteBefore(at: Place, oldest: number): void {
    const log = this.#at(at)
    log.entries = log.entries.filter((entry) => offsetOf(entry) >= oldest)
    log.oldest = oldest
  }

  commit({ topic, partition }: Place, offset: number): void {
    const offsets = this.#committed.get(topic) ?? new Map<number, number>()
    this.#committed.set(topic, offsets.set(partition, offset))
  }

  /** The messages of a partition as they stand; a test may put others in their place. */
  messages(at: Place): Message[] {
    return this.#at(at).entries.flatMap((entry) =>
      entry.kind === 'message' ? [entry.message] : [],
    )
  }

  /** Puts another log in the place of a partition: the same offsets, other content. */
  rewrite(at: Place, change: (messages: readonly Message[]) => readonly MessageContent[]): void {
    const changed = change(this.messages(at))
    const log = this.#at(at)
    Object.assign(log, { entries: [], oldest: 0, end: 0 })
    for (const { key, value, headers, timestampMs, timestampType } of changed) {
      this.append(at, { key, value, headers, timestampMs, timestampType })
    }
  }

  async bounds(topic: string): Promise<readonly LogBounds[] | null> {
    const logs = this.#topics.get(topic)
    if (logs === undefined) return null
    return logs.map(({ oldest, end }, partition) => ({ partition, oldest, end }))
  }

  async isCompacted(topic: string): Promise<boolean> {
    return this.#compacted.has(topic)
  }

  async committed(topic: string): Promise<ReadonlyMap<number, number>> {
    return new Map(this.#committed.get(topic))
  }

  async *read(
    { topic, partition }: Place,
    from: number,
    to: number,
    atOpen: AtOpenTransaction,
  ): AsyncGenerator<LogChunk> {
    const { entries, oldest } = this.#at({ topic, partition })
    let next = Math.max(from, oldest)
    while (next < to) {
      const ahead = entries.filter((entry) => offsetOf(entry) >= next).slice(0, CHUNK_ENTRIES)
      const open = ahead.findIndex(({ kind }) => kind === 'open')
      const whole = open < 0 ? ahead : ahead.slice(0, open)
      const last = whole.at(-1)
      if (last === undefined) {
        if (atOpen === 'end' || open < 0) return
        throw new SealError('SEAL_KAFKA_UNAVAILABLE', 'a transaction is open', { retryable: true })
      }
      const end = Math.min(offsetOf(last) + 1, to)
      const records = whole
        .flatMap((entry) => (entry.kind === 'message' ? [entry.message] : []))
        .filter(({ offset }) => offset < to)
      yield { from: next, next: end, records }
      next = end
    }
  }

  #at({ topic, partition }: Place): Partition {
    const log = this.#topics.get(topic)?.[partition]
    if (log === undefined) throw new SealError('SEAL_TOPIC_MISSING', `no ${topic}/${partition}`)
    return log
  }
}

function offsetOf(entry: Entry): number {
  return entry.kind === 'message' ? entry.message.offset : entry.offset
}
