/** What a broker says of one topic. */
export interface TopicMetadata {
  readonly topic: string
  /** Of the Kafka protocol; 0 where there is none. */
  readonly errorCode: number
  /** In hexadecimal digits. Null where the topic has none, or its broker tells none. */
  readonly id: string | null
}

/** What a broker says of topics, and the brokers that it knows. */
export interface Metadata {
  readonly nodeIds: readonly number[]
  readonly topics: readonly TopicMetadata[]
}

/** By these the protocol names the request, and its first version that tells the ids of topics. */
export const METADATA = { apiKey: 3, apiVersion: 10, apiName: 'Metadata' } as const

const ID_BYTES = 16
const NO_ID = '00'.repeat(ID_BYTES)
const NO_TAGS = Buffer.from([0])

/**
 * The Metadata request of version 10 (https://kafka.apache.org/protocol#The_Messages_Metadata, topic
 * ids are KIP-516), in the form in which kafkajs sends requests. That client speaks version 6, the last
 * one of the old encoding; in the new one strings and arrays stand behind their length plus one as a
 * varint, and every structure ends with tagged fields. Headers do too, of which kafkajs knows nothing: it
 * writes the one of a request and takes off that of a response but for these, so they are dealt with here.
 */
export function metadataCall(topics: readonly string[]) {
  const bytes = encodeMetadataRequest(topics)
  return {
    request: { ...METADATA, encode: async () => ({ buf: bytes, buffer: bytes }) },
    response: {
      decode: async (payload: Buffer) => decodeMetadataResponse(payload),
      parse: async (metadata: Metadata) => metadata,
    },
  }
}

/** From the tagged fields of the header on. Never makes a broker create a topic. */
export function encodeMetadataRequest(topics: readonly string[]): Buffer {
  const asked = topics.flatMap((topic) => {
    const name = Buffer.from(topic)
    return [Buffer.alloc(ID_BYTES), varint(name.length + 1), name, NO_TAGS]
  })
  // Creating topics, and the operations that are allowed on cluster and topics.
  const flags = Buffer.from([0, 0, 0])
  return Buffer.concat([NO_TAGS, varint(topics.length + 1), ...asked, flags, NO_TAGS])
}

/** From the tagged fields of the header on; what stands behind the topics is left. Throws RangeError. */
export function decodeMetadataResponse(bytes: Buffer): Metadata {
  const reader = new FlexibleReader(bytes)
  reader.tags()
  reader.passOver(4) // throttle time
  const nodeIds = reader.array(() => {
    const nodeId = reader.int32()
    reader.string() // host
    reader.passOver(4) // port
    reader.string() // rack
    reader.tags()
    return nodeId
  })
  reader.string() // cluster id
  reader.passOver(4) // controller
  const topics = reader.array(() => readTopic(reader))
  return { nodeIds, topics: topics.filter((topic) => topic !== null) }
}

function readTopic(reader: FlexibleReader): TopicMetadata | null {
  const errorCode = reader.int16()
  const topic = reader.string()
  const id = reader.take(ID_BYTES).toString('hex')
  reader.passOver(1) // internal
  reader.array(() => {
    reader.passOver(14) // error code, partition, leader, leader epoch
    for (let i = 0; i < 3; i++) reader.array(() => reader.passOver(4)) // replicas: all, in sync, offline
    reader.tags()
  })
  reader.passOver(4) // allowed operations
  reader.tags()
  return topic === null ? null : { topic, errorCode, id: id === NO_ID ? null : id }
}

/** Reads the encoding of flexible versions (KIP-482). */
class FlexibleReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('a metadata response ends too early')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  passOver(length: number): void {
    this.take(length)
  }

  int16(): number {
    return this.take(2).readInt16BE()
  }

  int32(): number {
    return this.take(4).readInt32BE()
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.take(1)[0] as number
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a varint of a metadata response does not end')
  }

  string(): string | null {
    const length = this.varint() - 1
    return length < 0 ? null : this.take(length).toString()
  }

  array<T>(read: () => T): T[] {
    const items: T[] = []
    for (let left = this.varint() - 1; left > 0; left--) items.push(read())
    return items
  }

  tags(): void {
    for (let left = this.varint(); left > 0; left--) {
      this.varint() // number
      this.passOver(this.varint())
    }
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80)
  return Buffer.from([...bytes, left])
}
