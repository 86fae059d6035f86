import type { types } from 'cassandra-driver'
import type { DekEntry } from '../../mapping/mapping-store.ts'
import type {
  AgedDek,
  RotationLog,
  RotationRound,
  SegmentTotals,
} from '../../mapping/rotation-log.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'
import { dayOf, daysOf, namesOf } from './look-up-days.ts'
import { dekEntry } from './mapping-reader.ts'

const SELECT_DEKS =
  'SELECT dek_id, key_domain, kek_id, kek_version, created_at FROM deks_by_domain WHERE key_domain = ? AND day = ? AND created_at < ?'
const SELECT_MARKS =
  'SELECT dek_id, ordered_at, done_at, segments, messages, bytes FROM dek_rotations WHERE key_domain = ? AND day = ?'
const INSERT_ORDERED =
  'INSERT INTO dek_rotations (key_domain, day, dek_id, ordered_at) VALUES (?, ?, ?, ?)'
const INSERT_DONE =
  'INSERT INTO dek_rotations (key_domain, day, dek_id, done_at, segments, messages, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)'
const DELETE_MARKS = 'DELETE FROM dek_rotations WHERE key_domain = ? AND day = ?'
const SELECT_CLOSED =
  'SELECT done_through, segments, messages, bytes FROM rotated_domains WHERE key_domain = ?'
const INSERT_CLOSED =
  'INSERT INTO rotated_domains (key_domain, done_through, segments, messages, bytes) VALUES (?, ?, ?, ?, ?)'
const DELETE_CLOSED = 'DELETE FROM rotated_domains WHERE key_domain = ?'
const SELECT_ROUND =
  "SELECT started_at, counted_at, older_than_ms, is_open, segments, messages, bytes, oldest_at FROM rotation_state WHERE name = 'round'"
const INSERT_ROUND =
  "INSERT INTO rotation_state (name, started_at, counted_at, older_than_ms, is_open, segments, messages, bytes, oldest_at) VALUES ('round', ?, ?, ?, ?, ?, ?, ?, ?)"
// A row that was inserted would outlive the holder, whose time is its own.
const TAKE_LEASE =
  "UPDATE rotation_state USING TTL ? SET holder = ? WHERE name = 'lease' IF holder = null"
const KEEP_LEASE =
  "UPDATE rotation_state USING TTL ? SET holder = ? WHERE name = 'lease' IF holder = ?"
const END_LEASE = "UPDATE rotation_state SET holder = null WHERE name = 'lease' IF holder = ?"

const NOTHING: SegmentTotals = { segments: 0, messages: 0, bytes: 0 }

/** {@link RotationLog} over Cassandra. The lease is one of its server's time, not of anybody's clock. */
export class CassandraRotationLog implements RotationLog {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  async *agedDeks(keyDomain: string, madeBeforeMs: number): AsyncGenerator<AgedDek> {
    const { through } = await this.#closed(keyDomain)
    const last = dayOf(madeBeforeMs)
    for await (const { day } of daysOf(this.#connection, 'domain', keyDomain)) {
      if ((through !== null && day <= through) || day > last) continue
      const marks = await this.#marksOf(keyDomain, day)
      const params = [keyDomain, day, new Date(madeBeforeMs)]
      for await (const row of this.#connection.rows(SELECT_DEKS, params)) {
        const dek = dekEntry(row)
        yield { ...dek, ...(marks.get(dek.dekId) ?? { orderedAtMs: null, done: null }) }
      }
    }
  }

  async recordOrdered(dek: DekEntry, atMs: number): Promise<void> {
    await this.#connection.execute(INSERT_ORDERED, [...keyOf(dek), new Date(atMs)])
  }

  async recordDone(dek: DekEntry, done: SegmentTotals, atMs: number): Promise<void> {
    const { segments, messages, bytes } = done
    const totals = [segments, messages, bytes]
    await this.#connection.execute(INSERT_DONE, [...keyOf(dek), new Date(atMs), ...totals])
  }

  /** The day and the sums are one row, so that nothing is counted twice wherever this ends. */
  async closeDays(keyDomain: string, throughMs: number): Promise<void> {
    const before = await this.#closed(keyDomain)
    const last = dayOf(throughMs)
    if (before.through !== null && last <= before.through) return
    let { segments, messages, bytes } = before.totals
    for await (const { day } of daysOf(this.#connection, 'domain', keyDomain)) {
      if ((before.through !== null && day <= before.through) || day > last) continue
      for (const { done } of (await this.#marksOf(keyDomain, day)).values()) {
        segments += done?.segments ?? 0
        messages += done?.messages ?? 0
        bytes += done?.bytes ?? 0
      }
    }
    await this.#connection.execute(INSERT_CLOSED, [keyDomain, last, segments, messages, bytes])
  }

  async closedTotals(keyDomain: string): Promise<SegmentTotals> {
    return (await this.#closed(keyDomain)).totals
  }

  async reopen(): Promise<void> {
    for await (const keyDomain of namesOf(this.#connection, 'domain')) {
      await this.#connection.execute(DELETE_CLOSED, [keyDomain])
      for await (const { day } of daysOf(this.#connection, 'domain', keyDomain)) {
        await this.#connection.execute(DELETE_MARKS, [keyDomain, day])
      }
    }
  }

  async latestRound(): Promise<RotationRound | null> {
    const row = (await this.#connection.execute(SELECT_ROUND, [])).first()
    if (row === null) return null
    return {
      startedAtMs: (row.started_at as Date).getTime(),
      countedAtMs: (row.counted_at as Date).getTime(),
      olderThanMs: Number(row.older_than_ms),
      isOpen: row.is_open,
      due: totalsOf(row),
      oldestAtMs: (row.oldest_at as Date | null)?.getTime() ?? null,
    }
  }

  async recordRound(round: RotationRound): Promise<void> {
    const { startedAtMs, countedAtMs, olderThanMs, isOpen, due, oldestAtMs } = round
    await this.#connection.execute(INSERT_ROUND, [
      ...[new Date(startedAtMs), new Date(countedAtMs), olderThanMs, isOpen],
      ...[due.segments, due.messages, due.bytes],
      oldestAtMs === null ? null : new Date(oldestAtMs),
    ])
  }

  async hold(holder: string, forMs: number): Promise<boolean> {
    const seconds = Math.ceil(forMs / 1_000)
    const kept = await this.#connection.execute(KEEP_LEASE, [seconds, holder, holder])
    if (kept.wasApplied()) return true
    return (await this.#connection.execute(TAKE_LEASE, [seconds, holder])).wasApplied()
  }

  async release(holder: string): Promise<void> {
    await this.#connection.execute(END_LEASE, [holder])
  }

  async #closed(
    keyDomain: string,
  ): Promise<{ readonly through: string | null; readonly totals: SegmentTotals }> {
    const row = (await this.#connection.execute(SELECT_CLOSED, [keyDomain])).first()
    if (row === null) return { through: null, totals: NOTHING }
    return { through: String(row.done_through), totals: totalsOf(row) }
  }

  async #marksOf(
    keyDomain: string,
    day: string,
  ): Promise<Map<string, Pick<AgedDek, 'orderedAtMs' | 'done'>>> {
    const marks = new Map<string, Pick<AgedDek, 'orderedAtMs' | 'done'>>()
    for await (const row of this.#connection.rows(SELECT_MARKS, [keyDomain, day])) {
      const orderedAtMs = (row.ordered_at as Date | null)?.getTime() ?? null
      const done = row.done_at === null ? null : totalsOf(row)
      marks.set(String(row.dek_id), { orderedAtMs, done })
    }
    return marks
  }
}

function keyOf({ keyDomain, dekId, createdAtMs }: DekEntry) {
  return [keyDomain, dayOf(createdAtMs), uuidBytes(dekId)] as const
}

function totalsOf(row: types.Row): SegmentTotals {
  const { segments, messages, bytes } = row
  return { segments: Number(segments), messages: Number(messages), bytes: Number(bytes) }
}
