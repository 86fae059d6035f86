import {
  placeOf,
  type StartOffset,
  type TopicPartition,
} from '../../src/pipeline/message-source.ts'
import type { OutputRecords } from '../../src/pipeline/reference-sink.ts'
import { runsOf, valuesOf } from '../support/record-runs.ts'
import type { Host } from './host.ts'
import type { Kafka } from './kafka.ts'

/** What can be made wrong on purpose at the seams of the product, to see that it is found. */
export interface FlawSwitches {
  /** A lane is opened without a new epoch. */
  readonly opensWithoutFencing: boolean
  /** Where a lane goes on is read before earlier writers are fenced. */
  readonly readsOffsetsEarly: boolean
  /** The end of a transaction is asked for again on the same producer when nobody knows its outcome. */
  readonly endsAgain: boolean
  /** Batches from before a seek are not told from others. */
  readonly takesStaleBatches: boolean
  /** Claimed to be durable before it is. */
  readonly recordsIntentsLate: boolean
  readonly recordsDeksLate: boolean
  readonly writesRowsLate: boolean
  /** A part that is tried again is sealed again. */
  readonly sealsAgain: boolean
  /** References of a partition go out in another order. */
  readonly reordersReferences: boolean
  /** Windows go on beyond their hard limits. */
  readonly stretchesWindows: boolean
  /** The broker does not judge by epochs. */
  readonly endsForAnybody: boolean
  /** A sweep takes what is young. */
  readonly sweepsYoung: boolean
}

export type FlawName = keyof FlawSwitches

const NONE: FlawSwitches = {
  ...{ opensWithoutFencing: false, readsOffsetsEarly: false, endsAgain: false },
  ...{ takesStaleBatches: false, recordsIntentsLate: false, recordsDeksLate: false },
  ...{ writesRowsLate: false, sealsAgain: false, reordersReferences: false },
  ...{ stretchesWindows: false, endsForAnybody: false, sweepsYoung: false },
}

/** Names of all flaws. */
export const FLAWS = Object.keys(NONE) as readonly FlawName[]

/** The switches of one run, and what they need to remember. */
export class Flaws {
  readonly on: FlawSwitches
  readonly #early = new Map<Host, ReadonlyMap<string, StartOffset>>()

  constructor(flaw: FlawName | null) {
    this.on = flaw === null ? NONE : { ...NONE, [flaw]: true }
  }

  readEarlyOffsets(host: Host, kafka: Kafka): void {
    if (!this.on.readsOffsetsEarly) return
    const offsets = kafka.partitions.map(({ at, place }) => [place, kafka.startOffset(at)] as const)
    this.#early.set(host, new Map(offsets))
  }

  earlyOffsets(host: Host, partitions: readonly TopicPartition[]): readonly StartOffset[] | null {
    const read = this.#early.get(host)
    if (read === undefined) return null
    return partitions.map((at) => {
      return read.get(placeOf(at)) ?? { ...at, offset: 0, isCommitted: false }
    })
  }

  reordered(records: readonly OutputRecords[]): readonly OutputRecords[] {
    if (!this.on.reordersReferences) return records
    return records.map((one) => ({ ...one, runs: runsOf(valuesOf(one.runs).toReversed()) }))
  }
}
