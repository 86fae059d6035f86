import type { OutputRecords, Publication } from './reference-sink.ts'
import type { SealedGroup, SealedSegment } from './segment-plan.ts'

/** How output topics are named after their source topic. */
export interface OutputTopics {
  readonly referenceTopicSuffix: string
  readonly quarantineTopicSuffix: string
}

/**
 * Joins sealed groups, in the order in which they were closed, to what one transaction carries: a
 * reference a message on the partition of the same number, a record for every message set aside, and
 * the offsets up to which the source is done.
 */
export function publicationOf(groups: readonly SealedGroup[], topics: OutputTopics): Publication {
  const records = new Map<string, OutputRecords & { values: Uint8Array[] }>()
  const offsets = new Map<string, Publication['offsets'][number]>()
  const valuesOf: ValuesOf = (topic, partition) => {
    const place = `${topic}/${partition}`
    let entry = records.get(place)
    if (entry === undefined) {
      entry = { topic, partition, values: [] }
      records.set(place, entry)
    }
    return entry.values
  }
  for (const group of groups) {
    collectReferences(group, topics, valuesOf)
    for (const { topic, partition, offset, error } of group.quarantined) {
      const note = JSON.stringify({ v: 1, topic, partition, offset, reason: error.message })
      valuesOf(topic + topics.quarantineTopicSuffix, partition).push(Buffer.from(note))
    }
    for (const progress of group.progress) {
      offsets.set(`${progress.topic}/${progress.partition}`, progress)
    }
  }
  return { records: [...records.values()], offsets: [...offsets.values()] }
}

type ValuesOf = (topic: string, partition: number) => Uint8Array[]

/** References of one segment come in the order of packing; several are merged by the group's order. */
function collectReferences(group: SealedGroup, topics: OutputTopics, valuesOf: ValuesOf): void {
  const feeds = group.segments.map((segment) => references(segment, topics, valuesOf))
  if (group.order === null) {
    for (const feed of feeds) for (const _reference of feed);
    return
  }
  for (const index of group.order) feeds[index]?.next()
}

/** Hands the references of a segment to their partitions, one each time it is asked. */
function* references(
  segment: SealedSegment,
  topics: OutputTopics,
  valuesOf: ValuesOf,
): Generator<void> {
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
      yield
    }
  }
}
