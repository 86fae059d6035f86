import { crc32c } from '@node-rs/crc32'
import { systemClock } from '../../clock.ts'
import type { RecordRun } from '../../format/record-run.ts'

/**
 * The records of one partition on their way through kafkajs, encoded already. It stands where the
 * library has a message, and, once they are grouped by partition, where it has the list of them.
 */
export class RunOfMessages {
  readonly partition: number
  readonly key = null
  readonly value: Buffer
  /** Number of records, by which the library counts its sequence on. */
  readonly length: number

  constructor(partition: number, { bytes, count }: RecordRun) {
    this.partition = partition
    this.value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.length = count
  }
}

/** A produce request (Kafka protocol, "Produce API", from version 3) as kafkajs asks for it. */
export interface ProduceRequest {
  readonly acks: number
  readonly timeout: number
  readonly transactionalId?: string | null
  /** A decimal number. */
  readonly producerId: string
  readonly producerEpoch: number
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly firstSequence: number
      readonly messages: unknown
    }[]
  }[]
}

/** What kafkajs sends of a request. */
interface EncodableRequest {
  readonly encode: () => Promise<EncodedRequest>
}

/** As much of the library's encoder as it asks of what it was given. */
interface EncodedRequest {
  readonly buf: Buffer
  readonly buffer: Buffer
}

const BATCH_HEADER_BYTES = 61
/** Offset and length of a batch stand before what its length counts. */
const LENGTH_END = 12
const CHECKSUM_AT = 17
const CHECKED_FROM = 21
const MAGIC = 2
const TRANSACTIONAL = 0x10

/**
 * The library's requests, but for those whose records are encoded already: they are put together
 * here, a header and a checksum a batch, where the library would make ten objects a record.
 */
export function withRunRequests<R extends EncodableRequest>(
  original: (request: ProduceRequest) => R,
): (request: ProduceRequest) => R {
  return (request) => {
    const plain = original(request)
    const isEncoded = request.topicData.some(({ partitions }) =>
      partitions.some(({ messages }) => messages instanceof RunOfMessages),
    )
    if (!isEncoded) return plain
    return {
      ...plain,
      encode: async () => {
        const buffer = encode(request)
        return { buf: buffer, buffer }
      },
    }
  }
}

function encode(request: ProduceRequest): Buffer {
  const { transactionalId = null, acks, timeout, topicData } = request
  const chunks: Uint8Array[] = [text(transactionalId), int16(acks), int32(timeout)]
  chunks.push(int32(topicData.length))
  for (const { topic, partitions } of topicData) {
    chunks.push(text(topic), int32(partitions.length))
    for (const { partition, firstSequence, messages } of partitions) {
      const { value, length } = messages as RunOfMessages
      const header = batchHeader(request, firstSequence, value, length)
      chunks.push(int32(partition), int32(header.length + value.length), header, value)
    }
  }
  return Buffer.concat(chunks)
}

function batchHeader(
  { transactionalId, producerId, producerEpoch }: ProduceRequest,
  firstSequence: number,
  records: Buffer,
  count: number,
): Buffer {
  const header = Buffer.alloc(BATCH_HEADER_BYTES)
  const nowMs = BigInt(systemClock.nowMs())
  header.writeInt32BE(BATCH_HEADER_BYTES - LENGTH_END + records.length, 8)
  header.writeInt8(MAGIC, 16)
  header.writeInt16BE(transactionalId == null ? 0 : TRANSACTIONAL, CHECKED_FROM)
  header.writeInt32BE(count - 1, CHECKED_FROM + 2)
  header.writeBigInt64BE(nowMs, CHECKED_FROM + 6)
  header.writeBigInt64BE(nowMs, CHECKED_FROM + 14)
  header.writeBigInt64BE(BigInt(producerId), CHECKED_FROM + 22)
  header.writeInt16BE(producerEpoch, CHECKED_FROM + 30)
  header.writeInt32BE(firstSequence, CHECKED_FROM + 32)
  header.writeInt32BE(count, CHECKED_FROM + 36)
  const checksum = crc32c(records, crc32c(header.subarray(CHECKED_FROM)))
  header.writeUInt32BE(checksum, CHECKSUM_AT)
  return header
}

function text(value: string | null): Buffer {
  if (value === null) return int16(-1)
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
