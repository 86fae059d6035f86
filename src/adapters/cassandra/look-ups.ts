import type { types } from 'cassandra-driver'
import type { MessageCoordinates } from '../../format/message.ts'
import type { LookUps, MessageInSegment, SourceDay, SourceSegment } from '../../mapping/look-ups.ts'
import { messagesOf } from '../../mapping/mapped-messages.ts'
import type {
  DekEntry,
  FrameColumns,
  MappedMessage,
  OpenedSegment,
  RowsKey,
  SegmentKey,
} from '../../mapping/mapping-store.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'
import { daysOf, lookUpsCoverAll, namesOf } from './look-up-days.ts'
import { CassandraMappingReader, dekEntry } from './mapping-reader.ts'
import { shardOf } from './message-id-statements.ts'
import { missingPlaces } from './missing-places.ts'
import { blockOf } from './place-statements.ts'

const SELECT_BY_DOMAIN =
  'SELECT dek_id, key_domain, kek_id, kek_version, created_at FROM deks_by_domain WHERE key_domain = ? AND day = ?'
const SELECT_BY_TOPIC =
  'SELECT partition, segment_id, dek_id, message_count, bytes FROM segments_by_topic WHERE topic = ? AND slot = ?'
const SELECT_BY_OFFSET =
  'SELECT segment_id, dek_id FROM segments_by_offset WHERE topic = ? AND partition = ? AND bucket = ? AND block = ?'
const SELECT_ROW =
  'SELECT position, length FROM message_encryption_map WHERE dek_id = ? AND segment_id = ? AND topic = ? AND partition = ? AND offset = ?'
const SELECT_BY_ID =
  'SELECT topic, partition, offset, segment_id, dek_id FROM messages_by_id WHERE shard = ? AND hour = ? AND id_hash = ?'

const HOUR_MS = 60 * 60 * 1000

/** {@link LookUps} over Cassandra, beside what the mapping reader knows. */
export class CassandraLookUps extends CassandraMappingReader implements LookUps {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    super(connection)
    this.#connection = connection
  }

  coverAll(): Promise<boolean> {
    return lookUpsCoverAll(this.#connection)
  }

  keyDomains(): AsyncGenerator<string> {
    return namesOf(this.#connection, 'domain')
  }

  async *deksOfDomain(keyDomain: string): AsyncGenerator<DekEntry> {
    for await (const { day } of daysOf(this.#connection, 'domain', keyDomain)) {
      const params = [keyDomain, day]
      for await (const row of this.#connection.rows(SELECT_BY_DOMAIN, params)) yield dekEntry(row)
    }
  }

  topics(): AsyncGenerator<string> {
    return namesOf(this.#connection, 'topic')
  }

  async *sourceDays(topic: string): AsyncGenerator<SourceDay> {
    for await (const { day, part } of daysOf(this.#connection, 'topic', topic)) {
      yield { partition: part, dayMs: Date.parse(day) }
    }
  }

  async *segmentsOfTopic(
    topic: string,
    slotMs: number,
    partition?: number,
  ): AsyncGenerator<SourceSegment> {
    const ofOne = partition === undefined ? '' : ' AND partition = ?'
    const params = [topic, new Date(slotMs), ...(partition === undefined ? [] : [partition])]
    for await (const row of this.#connection.rows(SELECT_BY_TOPIC + ofOne, params)) {
      const messageCount: number | null = row.message_count
      const bytes = (row.bytes as types.Long | null)?.toNumber() ?? 0
      const totals = messageCount === null ? null : { messageCount, bytes }
      yield { ...segmentKey(row), partition: row.partition, totals }
    }
  }

  async *segmentsNear({
    topic,
    partition,
    offset,
  }: MessageCoordinates): AsyncGenerator<SegmentKey> {
    const { bucket, block } = blockOf(offset)
    const params = [topic, partition, bucket, block]
    for await (const row of this.#connection.rows(SELECT_BY_OFFSET, params)) yield segmentKey(row)
  }

  missingPlaces(segment: OpenedSegment, frames: FrameColumns): Promise<number> {
    return missingPlaces(this.#connection, segment, frames)
  }

  /** By its row; in a segment that was written by the run, by going through the runs. */
  async findMessage(
    segment: RowsKey,
    { topic, partition, offset }: MessageCoordinates,
  ): Promise<MappedMessage | null> {
    const key = [uuidBytes(segment.rowsDekId), uuidBytes(segment.segmentId)]
    const params = [...key, topic, partition, offset]
    const row = (await this.#connection.execute(SELECT_ROW, params)).first()
    if (row === null) {
      for await (const message of messagesOf(this, segment)) {
        const isIt = message.offset === offset && message.partition === partition
        if (isIt && message.topic === topic) return message
      }
      return null
    }
    const position = (row.position as types.Long).toNumber()
    return { topic, partition, offset, position, length: row.length }
  }

  async *messagesWithId(hash: Uint8Array): AsyncGenerator<MessageInSegment> {
    const days = new Map<string, Date[]>()
    for await (const { day, part } of daysOf(this.#connection, 'message-id')) {
      const hour = new Date(Date.parse(day) + part * HOUR_MS)
      days.set(day, [...(days.get(day) ?? []), hour])
    }
    for (const hours of days.values()) {
      const found = await Promise.all(hours.map((hour) => this.#withId(hash, hour)))
      yield* found.flat()
    }
  }

  async #withId(hash: Uint8Array, hour: Date): Promise<MessageInSegment[]> {
    const params = [shardOf(hash), hour, Buffer.from(hash)]
    const found: MessageInSegment[] = []
    for await (const row of this.#connection.rows(SELECT_BY_ID, params)) {
      const { topic, partition } = row
      const offset = (row.offset as types.Long).toNumber()
      found.push({ ...segmentKey(row), topic, partition, offset })
    }
    return found
  }
}

function segmentKey(row: types.Row): SegmentKey {
  return { dekId: String(row.dek_id), segmentId: String(row.segment_id) }
}
