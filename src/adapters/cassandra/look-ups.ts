import type { types } from 'cassandra-driver'
import type { MessageCoordinates } from '../../format/message.ts'
import type { LookUps, MessageInSegment, SourceDay, SourceSegment } from '../../mapping/look-ups.ts'
import { messagesOf } from '../../mapping/mapped-messages.ts'
import type { DekEntry, MappedMessage, RowsKey, SegmentKey } from '../../mapping/mapping-store.ts'
import type { CassandraConnection } from './connection.ts'
import { lookUpsCoverAll } from './coverage.ts'
import { uuidBytes } from './ids.ts'
import { CassandraMappingReader, dekEntry } from './mapping-reader.ts'
import { shardOf } from './message-id-statements.ts'
import { blockOf } from './place-statements.ts'

const SELECT_DOMAIN_DAYS = 'SELECT day FROM domain_days WHERE key_domain = ?'
const SELECT_BY_DOMAIN =
  'SELECT dek_id, key_domain, kek_id, kek_version, created_at FROM deks_by_domain WHERE key_domain = ? AND day = ?'
const SELECT_TOPICS = 'SELECT DISTINCT topic FROM source_days'
const SELECT_SOURCE_DAYS = 'SELECT day, partition FROM source_days WHERE topic = ?'
const SELECT_BY_SOURCE =
  'SELECT segment_id, dek_id, message_count, bytes FROM segments_by_source WHERE topic = ? AND partition = ? AND hour = ?'
const SELECT_BY_OFFSET =
  'SELECT segment_id, dek_id FROM segments_by_offset WHERE topic = ? AND partition = ? AND bucket = ? AND block = ?'
const SELECT_ROW =
  'SELECT position, length FROM message_encryption_map WHERE dek_id = ? AND segment_id = ? AND topic = ? AND partition = ? AND offset = ?'
const SELECT_ID_DAYS = 'SELECT DISTINCT day FROM message_id_hours'
const SELECT_ID_HOURS = 'SELECT hour FROM message_id_hours WHERE day = ?'
const SELECT_BY_ID =
  'SELECT topic, partition, offset, segment_id, dek_id FROM messages_by_id WHERE shard = ? AND hour = ? AND id_hash = ?'

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

  async *deksOfDomain(keyDomain: string): AsyncGenerator<DekEntry> {
    for await (const { day } of this.#connection.rows(SELECT_DOMAIN_DAYS, [keyDomain])) {
      const params = [keyDomain, String(day)]
      for await (const row of this.#connection.rows(SELECT_BY_DOMAIN, params)) yield dekEntry(row)
    }
  }

  async *topics(): AsyncGenerator<string> {
    for await (const { topic } of this.#connection.rows(SELECT_TOPICS, [])) yield topic
  }

  async *sourceDays(topic: string): AsyncGenerator<SourceDay> {
    for await (const { day, partition } of this.#connection.rows(SELECT_SOURCE_DAYS, [topic])) {
      yield { partition, dayMs: Date.parse(String(day)) }
    }
  }

  async *segmentsOfSource(
    topic: string,
    partition: number,
    hourMs: number,
  ): AsyncGenerator<SourceSegment> {
    const params = [topic, partition, new Date(hourMs)]
    for await (const row of this.#connection.rows(SELECT_BY_SOURCE, params)) {
      const messageCount: number | null = row.message_count
      const bytes = (row.bytes as types.Long | null)?.toNumber() ?? 0
      yield { ...segmentKey(row), totals: messageCount === null ? null : { messageCount, bytes } }
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
    const days: string[] = []
    for await (const { day } of this.#connection.rows(SELECT_ID_DAYS, [])) days.push(String(day))
    for (const day of days.sort()) {
      const hours: Date[] = []
      const rows = this.#connection.rows(SELECT_ID_HOURS, [day])
      for await (const { hour } of rows) hours.push(hour)
      for (const found of await Promise.all(hours.map((hour) => this.#withId(hash, hour)))) {
        yield* found
      }
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
