import type { KafkaMessage } from 'kafkajs'
import { isSealError } from '../../errors.ts'
import { ReferenceParser } from '../../format/reference-parser.ts'
import { type Reference, ReferenceEncoder } from '../../format/reference-value.ts'
import type { ReferenceValue } from '../../reader/sealed-reader.ts'
import type { Slice, SliceSource } from '../../reader/slices-ahead.ts'

/** One message that a record of a reference topic names. */
export interface Entry {
  readonly record: KafkaMessage
  /** Parsed when the record names several. */
  readonly reference: ReferenceValue
  /**
   * The offset that is resolved when the handler is done with the message: that of its record, once it is
   * the last one that the record names, and before that of the record in front. So an offset never
   * speaks for a message that nobody has handled.
   */
  readonly resolves: string
  readonly isLast: boolean
}

/** More are not opened together, unless one record names them. */
const SLICE_MESSAGES_MAX = 8_192

/** Cuts the records of a fetch, between records, by what the messages that they name take. */
export class RecordSlices implements SliceSource<Entry> {
  readonly #records: readonly KafkaMessage[]
  readonly #bytesMax: number
  readonly #parser = new ReferenceParser()
  #at = 0

  constructor(records: readonly KafkaMessage[], bytesMax: number) {
    this.#records = records
    this.#bytesMax = bytesMax
  }

  async next(): Promise<Slice<Entry> | null> {
    const values: Entry[] = []
    let bytes = 0
    for (; this.#at < this.#records.length; this.#at++) {
      const record = this.#records[this.#at] as KafkaMessage
      const references = this.#parse(record)
      const length = references.reduce((sum, reference) => sum + reference.length, 0)
      const isFull = bytes + length > this.#bytesMax || values.length >= SLICE_MESSAGES_MAX
      if (values.length > 0 && isFull) break
      for (const entry of entriesOf(record, references)) values.push(entry)
      bytes += length
    }
    return values.length === 0 ? null : { values, bytes }
  }

  /** None for a record that is no reference: opening it says so. */
  #parse({ value }: KafkaMessage): readonly Reference[] {
    try {
      return this.#parser.parseAll(value ?? '')
    } catch (error) {
      if (isSealError(error)) return []
      throw error
    }
  }
}

function entriesOf(record: KafkaMessage, references: readonly Reference[]): Entry[] {
  const own = String(record.offset)
  if (references.length <= 1) {
    return [{ record, reference: record.value ?? '', resolves: own, isLast: true }]
  }
  const before = String(BigInt(own) - 1n)
  return references.map((reference, i) => {
    const isLast = i === references.length - 1
    return { record, reference, resolves: isLast ? own : before, isLast }
  })
}

/** The record of a message as it would be if it named that one alone. */
export function recordOf({ record, reference }: Entry): KafkaMessage {
  if (typeof reference === 'string' || reference instanceof Uint8Array) return record
  const { object, topic, partition, offset, position, length } = reference
  const value = new ReferenceEncoder(object, topic, partition).encode(offset, position, length)
  return { ...record, value: Buffer.from(value) } as KafkaMessage
}
