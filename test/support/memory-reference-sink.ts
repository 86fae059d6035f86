import { SealError } from '../../src/errors.ts'
import { placeOf } from '../../src/pipeline/message-source.ts'
import {
  type LanePublisher,
  type Publication,
  type ReferenceSink,
  tooLate,
} from '../../src/pipeline/reference-sink.ts'
import { Gate } from './gate.ts'
import { valuesOf } from './record-runs.ts'

/** Output topics and committed offsets in memory, by the contract; every publication is kept as it came. */
export class MemoryReferenceSink implements ReferenceSink {
  readonly publications: Publication[] = []
  /** Calls of `publish`, the failed ones too. */
  publishCalls = 0
  closedPublishers = 0
  /** Thrown by the publications to come, one each. */
  readonly failures: Error[] = []
  /** Thrown by the openings to come, one each. */
  readonly openFailures: Error[] = []
  readonly openGate = new Gate()
  readonly publishGate = new Gate()
  readonly #journal: string[]
  readonly #committed: Map<string, number>
  /** The writer that each lane has now. */
  readonly #writers = new Map<number, object>()

  /** `committed` is where the source reads offsets from. */
  constructor(journal: string[], committed: Map<string, number>) {
    this.#journal = journal
    this.#committed = committed
  }

  async openLane(lane: number): Promise<LanePublisher> {
    this.#journal.push(`openLane ${lane}`)
    await this.openGate.pass()
    const failure = this.openFailures.shift()
    if (failure !== undefined) throw failure
    const writer = { hasFailed: false }
    this.#writers.set(lane, writer)
    return {
      publish: async (publication, isInTime) => {
        try {
          await this.#publish(publication, () => {
            if (writer.hasFailed) throw new SealError('SEAL_KAFKA_UNAVAILABLE', 'failed before')
            if (this.#writers.get(lane) !== writer) throw new SealError('SEAL_FENCED', 'fenced')
            if (!isInTime()) throw tooLate()
          })
        } catch (error) {
          writer.hasFailed = true
          throw error
        }
      },
      close: async () => {
        this.#journal.push(`closeLane ${lane}`)
        this.closedPublishers++
      },
    }
  }

  /** Reference values of one source partition as objects, in the order of their publishing. */
  references(topic: string, partition: number, suffix = '.sealed'): Record<string, unknown>[] {
    return this.publications
      .flatMap(({ records }) => records)
      .filter((record) => record.topic === topic + suffix && record.partition === partition)
      .flatMap(({ runs }) => valuesOf(runs).map((value) => JSON.parse(value.toString())))
  }

  /** Source offsets of what was published for a partition. */
  offsets(topic = 'orders', partition = 0): number[] {
    return this.references(topic, partition).map(({ offset }) => offset as number)
  }

  /** Every commit of one partition, in order. */
  commits(topic = 'orders', partition = 0): number[] {
    return this.publications
      .flatMap(({ offsets }) => offsets)
      .filter((at) => at.topic === topic && at.partition === partition)
      .map(({ nextOffset }) => nextOffset)
  }

  async #publish(publication: Publication, check: () => void): Promise<void> {
    this.publishCalls++
    this.#journal.push('publish')
    await this.publishGate.pass()
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    check()
    this.publications.push(publication)
    for (const at of publication.offsets) this.#committed.set(placeOf(at), at.nextOffset)
  }
}
