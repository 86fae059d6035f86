import type { OutputRecords, Publication } from './reference-sink.ts'
import type { SealedSegment } from './segment-plan.ts'

/** How output topics are named after their source topic. */
export interface OutputTopics {
  readonly referenceTopicSuffix: string
  readonly quarantineTopicSuffix: string
}

/**
 * Joins sealed segments, in the order in which they were closed, to what one transaction carries:
 * a reference a message on the partition of the same number, a record for every message set aside,
 * and the offsets up to which the source is done.
 */
export function publicationOf(
  segments: readonly SealedSegment[],
  topics: OutputTopics,
): Publication {
  const records = new Map<string, OutputRecords & { values: Uint8Array[] }>()
  const offsets = new Map<string, Publication['offsets'][number]>()
  const valuesOf = (topic: string, partition: number): Uint8Array[] => {
    const place = `${topic}/${partition}`
    let entry = records.get(place)
    if (entry === undefined) {
      entry = { topic, partition, values: [] }
      records.set(place, entry)
    }
    return entry.values
  }
  for (const segment of segments) {
    collectReferences(segment, topics, valuesOf)
    for (const { topic, partition, offset, error } of segment.quarantined) {
      const note = JSON.stringify({ v: 1, topic, partition, offset, reason: error.message })
      valuesOf(topic + topics.quarantineTopicSuffix, partition).push(Buffer.from(note))
    }
    for (const { topic, partition, nextOffset } of segment.sources) {
      offsets.set(`${topic}/${partition}`, { topic, partition, nextOffset })
    }
  }
  return { records: [...records.values()], offsets: [...offsets.values()] }
}

function collectReferences(
  segment: SealedSegment,
  topics: OutputTopics,
  valuesOf: (topic: string, partition: number) => Uint8Array[],
): void {
  for (const { values, ends, source } of segment.parts) {
    const targets = segment.sources.map(({ topic, partition }) =>
      valuesOf(topic + topics.referenceTopicSuffix, partition),
    )
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.length)
    let start = 0
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i] as number
      targets[source[i] as number]?.push(bytes.subarray(start, end))
      start = end
    }
  }
}
