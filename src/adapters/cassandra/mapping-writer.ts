import type { Clock } from '../../clock.ts'
import { forEachOf } from '../../for-each-of.ts'
import type {
  FrameColumns,
  MappingMode,
  MappingWriter,
  MessageIds,
  OpenedSegment,
  SegmentIntent,
  SegmentKey,
  SegmentSummary,
  SourceTotals,
} from '../../mapping/mapping-store.ts'
import type { CassandraConnection, CqlStatement, CqlValue } from './connection.ts'
import { GatheredWrites } from './gathered-writes.ts'
import { uuidBytes } from './ids.ts'
import { DayNotes } from './look-up-days.ts'
import { idBatches } from './message-id-statements.ts'
import { placeWrites, totalsWrites } from './place-statements.ts'
import { ROWS_PER_CHUNK, RowStatements } from './row-statements.ts'
import { runBatches } from './run-statements.ts'

const INSERT_INTENT =
  'INSERT INTO segments_by_dek (dek_id, segment_id, object_key, created_at) VALUES (?, ?, ?, ?)'
const INSERT_SEALED =
  'INSERT INTO segments_by_dek (dek_id, segment_id, message_count, bytes, sealed_at) VALUES (?, ?, ?, ?, ?)'
const INSERT_PUBLISHED =
  'INSERT INTO segments_by_dek (dek_id, segment_id, published_at) VALUES (?, ?, ?)'

const TABLES = { rows: 'message_encryption_map', runs: 'message_runs' } as const

/** Segments that parts still come of, with room for those of slow lanes. */
const SEGMENTS_NOTED_MAX = 64

/** Requests of one call under way; other calls of the connection find places between them. */
const REQUESTS_IN_FLIGHT_MAX = 6

type Request = () => Promise<void>

/** {@link MappingWriter} over Cassandra. */
export class CassandraMappingWriter implements MappingWriter {
  readonly #connection: CassandraConnection
  readonly #gathered: GatheredWrites
  readonly #clock: Clock
  readonly #mode: MappingMode
  readonly #insertObject: string
  readonly #insertStatus: string
  readonly #days: DayNotes
  readonly #places = new Map<string, Set<string>>()

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection, clock: Clock, mode: MappingMode) {
    this.#connection = connection
    this.#gathered = new GatheredWrites(connection)
    this.#clock = clock
    this.#mode = mode
    const insert = `INSERT INTO ${TABLES[mode]} (dek_id, segment_id`
    this.#insertObject = `${insert}, object_path, encrypted_at) VALUES (?, ?, ?, ?)`
    // The oldest timestamp there is, so that a repeated call never undoes a later change of the status.
    this.#insertStatus = `${insert}, key_rotation_status) VALUES (?, ?, 'current') USING TIMESTAMP 1`
    this.#days = new DayNotes(connection)
  }

  async recordIntent({ objectKey, createdAtMs, ...key }: SegmentIntent): Promise<void> {
    await this.#writeSegment(key, INSERT_INTENT, objectKey, new Date(createdAtMs))
  }

  async writeRows(segment: SegmentKey, objectKey: string, frames: FrameColumns): Promise<void> {
    const [dekId, segmentId] = segmentParams(segment)
    const object = [
      {
        query: this.#insertObject,
        params: [dekId, segmentId, objectKey, new Date(this.#clock.nowMs())],
      },
      { query: this.#insertStatus, params: [dekId, segmentId] },
    ]
    const requests =
      this.#mode === 'rows'
        ? this.#rowRequests(object, new RowStatements(dekId, segmentId, frames), frames.count)
        : this.#runRequests(object, runBatches(dekId, segmentId, frames))
    // What is under way bounds the memory; and once this rejects, the columns are the caller's again.
    await forEachOf(requests, REQUESTS_IN_FLIGHT_MAX, (request) => request())
  }

  async recordPlaces(segment: OpenedSegment, frames: FrameColumns): Promise<void> {
    const noted = this.#placesOf(segment)
    const { writes, places } = placeWrites(segment, frames, noted)
    await allDone([
      ...frames.sources.map(({ topic, partition }) =>
        this.#days.note('topic', topic, segment.createdAtMs, partition),
      ),
      this.#gathered.write(writes),
    ])
    for (const place of places) noted.add(place)
  }

  async recordMessageIds(
    segment: OpenedSegment,
    frames: FrameColumns,
    ids: MessageIds,
  ): Promise<void> {
    if (ids.frame.length === 0) return
    const batches = idBatches(segment, frames, ids).map((batch) => this.#connection.batch(batch))
    const hour = new Date(segment.createdAtMs).getUTCHours()
    const noted = this.#days.note('message-id', 'all', segment.createdAtMs, hour)
    await allDone([noted, ...batches])
  }

  async recordTotals(segment: OpenedSegment, totals: readonly SourceTotals[]): Promise<void> {
    await this.#gathered.write(totalsWrites(segment, totals))
  }

  async recordSealed({ messageCount, bytes, sealedAtMs, ...key }: SegmentSummary): Promise<void> {
    await this.#writeSegment(key, INSERT_SEALED, messageCount, bytes, new Date(sealedAtMs))
  }

  async recordPublished(segment: SegmentKey, publishedAtMs: number): Promise<void> {
    await this.#writeSegment(segment, INSERT_PUBLISHED, new Date(publishedAtMs))
  }

  #writeSegment(segment: SegmentKey, query: string, ...values: CqlValue[]): Promise<void> {
    const params = [...segmentParams(segment), ...values]
    return this.#gathered.write([{ partition: segment.dekId, statement: { query, params } }])
  }

  /** What was noted of a segment already: its parts have much in common. Old segments are let go. */
  #placesOf({ dekId, segmentId }: SegmentKey): Set<string> {
    const key = `${dekId}/${segmentId}`
    const places = this.#places.get(key) ?? new Set<string>()
    this.#places.set(key, places)
    const [oldest] = this.#places.keys()
    if (this.#places.size > SEGMENTS_NOTED_MAX && oldest !== undefined) this.#places.delete(oldest)
    return places
  }

  *#rowRequests(object: CqlStatement[], rows: RowStatements, count: number): Generator<Request> {
    const end = count - (count % ROWS_PER_CHUNK)
    yield () => this.#connection.batch([...object, ...rows.tail(end)])
    for (let first = 0; first < end; first += ROWS_PER_CHUNK) {
      const { query, params } = rows.chunk(first)
      yield async () => {
        await this.#connection.execute(query, params)
      }
    }
  }

  *#runRequests(
    object: CqlStatement[],
    batches: Iterable<readonly CqlStatement[]>,
  ): Generator<Request> {
    let first = object
    for (const batch of batches) {
      const statements = [...first, ...batch]
      first = []
      yield () => this.#connection.batch(statements)
    }
  }
}

/** Rejects only when nothing is under way any more: the columns are the caller's from then on. */
async function allDone(writes: Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(writes)) {
    if (outcome.status === 'rejected') throw outcome.reason
  }
}

function segmentParams(segment: SegmentKey): [dekId: Buffer, segmentId: Buffer] {
  return [uuidBytes(segment.dekId), uuidBytes(segment.segmentId)]
}
