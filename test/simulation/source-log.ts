import type { Message } from '../../src/format/message.ts'
import { placeOf, type TopicPartition } from '../../src/pipeline/message-source.ts'

/** A place in a source partition: a message, or a marker or an aborted record, which nobody is given. */
export interface SourceRecord {
  readonly offset: number
  readonly message: Message | null
}

/** What a fetch of the log gives. */
export interface Fetched {
  readonly fetchedOffset: number
  readonly records: readonly SourceRecord[]
}

/** A source partition: offsets rise, with gaps where records were compacted away. */
export class SourcePartition {
  readonly at: TopicPartition
  readonly records: SourceRecord[] = []
  /** The oldest offset that is held. */
  startOffset = 0
  endOffset = 0
  readonly #waiting: (() => void)[] = []

  constructor(at: TopicPartition) {
    this.at = at
  }

  get place(): string {
    return placeOf(this.at)
  }

  append(makeMessage: ((offset: number) => Message) | null): void {
    const offset = this.endOffset++
    this.records.push({ offset, message: makeMessage?.(offset) ?? null })
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Offsets of records that were compacted away. */
  leaveGap(count: number): void {
    this.endOffset += count
  }

  /** Deletes what lies before `offset`, as retention does. */
  expire(offset: number): void {
    this.startOffset = Math.max(this.startOffset, Math.min(offset, this.endOffset))
  }

  /** Records from `offset` on; an offset that is not held is answered from the oldest one. */
  fetch(offset: number, countMax: number): Fetched {
    const isHeld = offset >= this.startOffset && offset <= this.endOffset
    const fetchedOffset = isHeld ? offset : this.startOffset
    const from = this.indexOf(fetchedOffset)
    return { fetchedOffset, records: this.records.slice(from, from + countMax) }
  }

  /** Calls `wake` once, when something is appended. */
  whenAppended(wake: () => void): void {
    this.#waiting.push(wake)
  }

  /** Index of the first record at `offset` or behind it. */
  indexOf(offset: number): number {
    let low = 0
    let high = this.records.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.records[middle] as SourceRecord).offset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
