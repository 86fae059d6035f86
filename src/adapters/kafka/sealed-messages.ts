import type { Batch, IHeaders, RecordBatchEntry } from 'kafkajs'
import type { Message, MessageHeader, TimestampType } from '../../format/message.ts'

/** Where a message stood when it was produced. */
export interface SourcePlace {
  readonly topic: string
  readonly partition: number
  readonly offset: string
}

/**
 * A message as kafkajs hands messages over, with the key, value, headers and timestamp that its producer
 * gave it. `offset` is what is resolved and committed when it is done: that of its reference, or, while its
 * record names more messages, that of the record before. What identifies a message is `source`.
 */
export interface SealedMessage extends RecordBatchEntry {
  /** Where it stood in the source topic. */
  readonly source: SourcePlace
  /** The headers in their order, names as bytes; `headers` merges those of one name, as kafkajs does. */
  readonly headerList: readonly MessageHeader[]
  readonly timestampType: TimestampType
}

/** An opened message, with the offset in the reference topic that is resolved when it is done. */
export function sealedMessage(resolves: string, message: Message): SealedMessage {
  const { topic, partition, offset, key, value, headers, timestampMs, timestampType } = message
  return {
    // A parcel is cut into buffers.
    key: key as Buffer | null,
    value: value as Buffer | null,
    timestamp: String(timestampMs),
    attributes: 0,
    offset: resolves,
    headers: headersOf(headers),
    source: { topic, partition, offset: String(offset) },
    headerList: headers,
    timestampType,
  }
}

/** Values of one name become a list; none of them, even `__proto__`, is anything but a header. */
function headersOf(list: readonly MessageHeader[]): IHeaders {
  if (list.length === 0) return {}
  const byName = new Map<string, Buffer | Buffer[]>()
  for (const [rawName, rawValue] of list) {
    const name = Buffer.from(rawName).toString('utf8')
    // kafkajs knows no null among headers: the raw list does.
    const value = (rawValue ?? Buffer.alloc(0)) as Buffer
    const known = byName.get(name)
    if (known === undefined) byName.set(name, value)
    else if (Array.isArray(known)) known.push(value)
    else byName.set(name, [known, value])
  }
  return Object.fromEntries(byName)
}

/** Messages of one partition that are handed over together: all of a fetch, or a piece of it. */
export class SealedBatch implements Batch {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: string
  readonly messages: SealedMessage[]
  readonly #last: string

  /** `last` is the offset up to which the batch speaks for the partition. */
  constructor({ topic, partition, highWatermark }: Batch, messages: SealedMessage[], last: string) {
    this.topic = topic
    this.partition = partition
    this.highWatermark = highWatermark
    this.messages = messages
    this.#last = last
  }

  /** Never: an empty batch is handed to nobody. */
  isEmpty(): boolean {
    return this.messages.length === 0
  }

  firstOffset(): string | null {
    return this.messages[0]?.offset ?? null
  }

  lastOffset(): string {
    return this.#last
  }

  offsetLag(): string {
    return String(BigInt(this.highWatermark) - 1n - BigInt(this.#last))
  }

  offsetLagLow(): string {
    return String(BigInt(this.highWatermark) - 1n - BigInt(this.firstOffset() ?? this.#last))
  }
}
