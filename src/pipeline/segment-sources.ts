import type { Message } from '../format/message.ts'
import { SOURCES_PER_SEGMENT_MAX } from '../limits.ts'
import type { SourceTotals } from '../mapping/mapping-store.ts'
import { placeOf, type TopicPartition } from './message-source.ts'
import type { PackedSource } from './segment-plan.ts'

/** The source partitions of one segment, numbered as they came, and what of each was packed. */
export class SegmentSources {
  readonly #sources = new Map<string, PackedSource>()

  /** Whether messages of `at` may go in: the number of sources is bounded. */
  canHold(at: TopicPartition): boolean {
    return this.#sources.size < SOURCES_PER_SEGMENT_MAX || this.#sources.has(placeOf(at))
  }

  /** The entry of a partition; made when it is new. */
  of(at: TopicPartition): PackedSource {
    const place = placeOf(at)
    let source = this.#sources.get(place)
    if (source === undefined) {
      const nothing = { firstOffset: -1, lastOffset: -1, messageCount: 0, bytes: 0 }
      const { topic, partition } = at
      source = { topic, partition, index: this.#sources.size, ...nothing }
      this.#sources.set(place, source)
    }
    return source
  }

  /** In the order of their numbers, those without messages among them. */
  all(): PackedSource[] {
    return [...this.#sources.values()]
  }

  /** Of those with messages. */
  totals(): SourceTotals[] {
    return this.all().filter(({ messageCount }) => messageCount > 0)
  }
}

/** Counts a message that is packed, as the last one of its source. */
export function countPacked(source: PackedSource, { offset }: Message, frameBytes: number): void {
  if (source.messageCount++ === 0) source.firstOffset = offset
  source.lastOffset = offset
  source.bytes += frameBytes
}
