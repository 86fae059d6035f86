import { isSealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import { parseReferences } from '../format/reference-list.ts'
import type { Reference } from '../format/reference-value.ts'
import { type Check, throwIfStopped } from './check.ts'
import type { FindingKind } from './findings.ts'
import { LateReferences } from './late-references.ts'
import { OffsetSet } from './offset-set.ts'
import { Opening } from './opening.ts'
import type { LogBounds, Place } from './ports.ts'
import { readNotes } from './quarantine-notes.ts'
import { type AtOffset, SourceCursor } from './source-cursor.ts'

/** One source partition, and how far each of its logs is compared. */
export interface PartitionPlan extends Place {
  /** What the source holds; empty bounds where the reference topic alone has the partition. */
  readonly source: LogBounds
  readonly isCompacted: boolean
  /** The committed offset when the verification began; the oldest one where there was none. */
  readonly committed: number
  /** null when there is no such topic or partition. */
  readonly references: LogBounds | null
  readonly notes: LogBounds | null
}

/** What is left to ask once every partition was read. */
export interface PartitionOutcome {
  readonly plan: PartitionPlan
  /** Offsets from the committed one on, to which there were references all the same. */
  readonly beyond: OffsetSet
}

/**
 * Compares the references of one partition with its source, both read once, side by side.
 *
 * References that rise, as all of them should, walk along the source: the messages that they pass
 * over are missing for now. A reference that does not rise is late: its message was passed already,
 * so it is looked up apart (late-references.ts), and is out of order when it was missing and doubled
 * when it was not. What is missing at the end and was not set aside is lost.
 */
export class PartitionCheck {
  readonly #check: Check
  readonly #plan: PartitionPlan
  readonly #opening: Opening
  readonly #late: LateReferences
  readonly #cursor: SourceCursor
  readonly #missing = new OffsetSet()
  readonly #beyond = new OffsetSet()
  #notes = new OffsetSet()
  #highest = -1
  /** Messages below it may have had references that Kafka no longer holds. */
  #comparableFrom = 0

  constructor(check: Check, plan: PartitionPlan) {
    const { log } = check.services
    this.#check = check
    this.#plan = plan
    this.#opening = new Opening(check)
    this.#late = new LateReferences(plan, log, (...found) => this.#takeLate(...found))
    this.#cursor = new SourceCursor(
      log.read(plan, plan.source.oldest, plan.committed, 'wait'),
      (message) => this.#passed(message),
      (chunk) => this.#check.observer.advanced(chunk.next - chunk.from),
    )
  }

  /** Throws SEAL_STOPPED, and what the services throw. */
  async run(): Promise<PartitionOutcome> {
    const { references } = this.#plan
    try {
      this.#notes = await readNotes(this.#check, this.#plan)
      if (references !== null) {
        if (references.oldest > 0) this.#beginComparison(Number.POSITIVE_INFINITY)
        await this.#readReferences(references)
      }
      await this.#late.flush()
      await this.#cursor.finish()
      await this.#opening.finish()
    } finally {
      await this.#cursor.close()
    }
    this.#settleMissing()
    await this.#countUnsealed()
    return { plan: this.#plan, beyond: this.#beyond }
  }

  async #readReferences({ oldest, end }: LogBounds): Promise<void> {
    const { log } = this.#check.services
    const { topic, partition } = this.#plan
    const at = { topic: topic + this.#check.settings.referenceTopicSuffix, partition }
    for await (const chunk of log.read(at, oldest, end, 'wait')) {
      throwIfStopped(this.#check)
      for (const record of chunk.records) {
        for (const reference of this.#parse(record)) await this.#take(reference, record)
      }
    }
  }

  async #take(reference: Reference, record: Message): Promise<void> {
    const { segments } = this.#check
    segments.refer(reference)
    const { topic, partition, offset } = reference
    if (topic !== this.#plan.topic || partition !== this.#plan.partition) {
      segments.disown(reference)
      return this.#tellRecord('stray', record, `it is for ${topic}/${partition} offset ${offset}`)
    }
    if (record.key !== null) {
      this.#tell('keyed', reference, 'its record has a key, which may tell that of the message')
    }
    if (this.#comparableFrom === Number.POSITIVE_INFINITY) this.#beginComparison(offset)
    if (offset >= this.#plan.committed) await this.#takeBeyond(reference)
    else if (offset <= this.#highest) await this.#late.add(reference)
    else {
      this.#highest = offset
      await this.#match(reference, await this.#cursor.at(offset))
    }
  }

  #parse(record: Message): readonly Reference[] {
    const { counts } = this.#check
    try {
      const references = parseReferences(record.value ?? '')
      counts.references += references.length
      return references
    } catch (error) {
      if (!isSealError(error)) throw error
      counts.references++
      this.#tellRecord('stray', record, error.message)
      return []
    }
  }

  /** The oldest reference that is left: what lies before it had its own, or never had one. */
  #beginComparison(offset: number): void {
    const { topic, partition } = this.#plan
    this.#comparableFrom = offset
    this.#check.firstReferenced.set(`${topic}/${partition}`, offset)
  }

  /** From the committed offset on: published since, or without its offset. verify.ts asks again. */
  async #takeBeyond(reference: Reference): Promise<void> {
    const { offset } = reference
    if (offset >= this.#plan.source.end) return this.#tellStray(reference)
    if (this.#beyond.has(offset)) this.#tellDoubled(reference)
    this.#beyond.add(offset)
    await this.#opening.add(reference, null)
  }

  /** Deals with a reference whose message is looked at for the first time. */
  async #match(reference: Reference, found: AtOffset): Promise<void> {
    if (found === 'nothing' && !this.#plan.isCompacted) return this.#tellStray(reference)
    if (typeof found === 'string') {
      this.#check.counts.messageGone++
      return this.#opening.add(reference, null)
    }
    this.#check.counts.messages++
    if (this.#notes.has(reference.offset)) {
      this.#tell('doubled', reference, 'its message was set aside by a note of quarantine as well')
    }
    await this.#opening.add(reference, found)
  }

  async #takeLate(reference: Reference, found: AtOffset): Promise<void> {
    const { offset } = reference
    if (found === 'nothing' && !this.#plan.isCompacted) return this.#tellStray(reference)
    const message = typeof found === 'string' ? null : found
    const isFirst = message === null ? offset !== this.#highest : this.#missing.delete(offset)
    if (isFirst || offset < this.#comparableFrom) {
      this.#tell('outOfOrder', reference, 'it stands behind the reference of a later message')
    } else this.#tellDoubled(reference)
    if (message === null) this.#check.counts.messageGone++
    await this.#opening.add(reference, message)
  }

  /** A message of the source that the references have passed over. */
  #passed({ offset }: Message): void {
    const { counts } = this.#check
    counts.messages++
    if (offset < this.#comparableFrom) counts.referenceGone++
    else this.#missing.add(offset)
  }

  #settleMissing(): void {
    const { counts, findings } = this.#check
    const { topic, partition, committed } = this.#plan
    const meaning = `no reference is there, and the group goes on at ${committed}: the message is not sealed`
    for (const { first, last } of this.#missing.ranges()) {
      const lost = new OffsetSet()
      for (let offset = first; offset <= last; offset++) {
        if (this.#notes.has(offset)) counts.setAside++
        else lost.add(offset)
      }
      for (const range of lost.ranges()) {
        const count = range.last - range.first + 1
        findings.add({
          ...{ kind: 'lost', topic, partition, count, meaning, offset: range.first },
          ...(count > 1 ? { lastOffset: range.last } : {}),
        })
      }
    }
  }

  async #countUnsealed(): Promise<void> {
    const { log } = this.#check.services
    const { source, committed } = this.#plan
    const from = Math.max(source.oldest, committed)
    if (from >= source.end) return
    for await (const { records } of log.read(this.#plan, from, source.end, 'end')) {
      throwIfStopped(this.#check)
      this.#check.counts.notSealedYet += records.length
    }
  }

  #tellStray(reference: Reference): void {
    this.#check.segments.disown(reference)
    this.#tell('stray', reference, 'the source has no message at this offset and never had one')
  }

  #tellDoubled(reference: Reference): void {
    this.#tell('doubled', reference, 'another reference speaks for the same message')
  }

  #tell(kind: FindingKind, { topic, partition, offset, object }: Reference, meaning: string): void {
    this.#check.findings.add({ kind, topic, partition, offset, object, meaning })
  }

  #tellRecord(kind: FindingKind, record: Message, meaning: string): void {
    const { topic, partition, offset } = record
    this.#check.findings.add({ kind, topic, partition, offset, meaning })
  }
}
