import { type RecordRun, RecordRunWriter, runValues } from '../format/record-run.ts'
import { isReferenceList, parseReferences, ReferenceListWriter } from '../format/reference-list.ts'
import type { Reference } from '../format/reference-value.ts'
import type { OutputRecords, Publication } from './reference-sink.ts'
import type { Progress, SealedGroup, SealedSegment } from './segment-plan.ts'

/** How output topics are named after their source topic. */
export interface OutputTopics {
  readonly referenceTopicSuffix: string
  readonly quarantineTopicSuffix: string
}

/** Runs of one partition are joined up to this size: a request costs more than encoding so much again. */
const JOINED_BYTES_MAX = 32 * 1024

/**
 * Joins sealed groups, in the order in which they were closed, to what one transaction carries: a
 * reference a message on the partition of the same number, a record for every message set aside, and
 * the offsets up to which the source is done.
 */
export function publicationOf(groups: readonly SealedGroup[], topics: OutputTopics): Publication {
  const records = new Map<string, OutputRecords & { runs: RecordRun[] }>()
  const offsets = new Map<string, Publication['offsets'][number]>()
  const add = (topic: string, partition: number, runs: readonly RecordRun[]) => {
    if (runs.length === 0) return
    const place = `${topic}/${partition}`
    const entry = records.get(place) ?? { topic, partition, runs: [] }
    records.set(place, entry)
    entry.runs.push(...runs)
  }
  for (const group of groups) {
    for (const progress of group.progress) {
      const { topic, partition, nextOffset } = progress
      add(topic + topics.referenceTopicSuffix, partition, referencesOf(group, progress))
      offsets.set(`${topic}/${partition}`, { topic, partition, nextOffset })
    }
    for (const { topic, partition, offset, error } of group.quarantined) {
      const note = JSON.stringify({ v: 1, topic, partition, offset, reason: error.message })
      const writer = new RecordRunWriter()
      writer.add(Buffer.from(note).toString('latin1'))
      add(topic + topics.quarantineTopicSuffix, partition, writer.take())
    }
  }
  return {
    records: [...records.values()].map(({ runs, ...at }) => ({ ...at, runs: joined(runs) })),
    offsets: [...offsets.values()],
  }
}

/** The references of one partition in the order of its messages, whichever segments they are in. */
function referencesOf({ segments }: SealedGroup, { order, ...at }: Progress): RecordRun[] {
  const runs = segments.map((segment) => runsOf(segment, at))
  if (order === null) return runs.flat()
  const merged = new RecordRunWriter()
  const first = runs.flat()[0]
  if (first !== undefined && isReferenceList(runValues(first).next().value as string)) {
    mergeLists(runs, order, at, (value) => merged.add(value))
  } else {
    const feeds = runs.map(valuesOf)
    for (const index of order) merged.add(feeds[index]?.next().value as string)
  }
  return merged.take()
}

/** Lists are taken apart and made anew: each names what follows one another in one segment. */
function mergeLists(
  runs: readonly (readonly RecordRun[])[],
  order: readonly number[],
  at: Pick<Progress, 'topic' | 'partition'>,
  onValue: (value: string) => void,
): void {
  const feeds = runs.map(listedIn)
  const writers = new Map<number, ReferenceListWriter>()
  let writer: ReferenceListWriter | null = null
  let last = -1
  for (const index of order) {
    const reference: Reference = feeds[index]?.next().value
    const { object, offset, position, length } = reference
    if (index !== last) {
      writer?.flush()
      writer = writers.get(index) ?? new ReferenceListWriter({ ...at, object }, onValue)
      writers.set(index, writer)
      last = index
    }
    writer?.add(offset, position, length)
  }
  writer?.flush()
}

function runsOf(
  { sources, references }: SealedSegment,
  at: Pick<Progress, 'topic' | 'partition'>,
): RecordRun[] {
  const source = sources.find(
    ({ topic, partition }) => topic === at.topic && partition === at.partition,
  )
  return source === undefined ? [] : references.filter((run) => run.source === source.index)
}

function* valuesOf(runs: readonly RecordRun[]): Generator<string> {
  for (const run of runs) yield* runValues(run)
}

function* listedIn(runs: readonly RecordRun[]): Generator<Reference> {
  for (const value of valuesOf(runs)) yield* parseReferences(value)
}

/** The same records, small runs encoded again as one. */
function joined(runs: readonly RecordRun[]): RecordRun[] {
  const result: RecordRun[] = []
  let small: RecordRun[] = []
  let smallBytes = 0
  const flush = () => {
    if (small.length > 1) {
      const writer = new RecordRunWriter()
      for (const value of valuesOf(small)) writer.add(value)
      small = writer.take()
    }
    result.push(...small)
    small = []
    smallBytes = 0
  }
  for (const run of runs) {
    if (smallBytes + run.bytes.length > JOINED_BYTES_MAX) flush()
    small.push(run)
    smallBytes += run.bytes.length
  }
  flush()
  return result
}
