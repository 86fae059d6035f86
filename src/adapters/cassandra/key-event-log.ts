import { createHash } from 'node:crypto'
import type { types } from 'cassandra-driver'
import {
  KEY_EVENT_KINDS,
  type KeyEvent,
  type KeyEventKind,
  type KeyEventLog,
} from '../../keys/key-events.ts'
import type { CassandraConnection, CqlStatement } from './connection.ts'
import { uuidBytes } from './ids.ts'

const KEY = 'dek_id, happened_at, kind_order, event_id, kind, actor, reason'
// Two statements: a null that is written is a tombstone that stays.
const INSERT_EVENT = `INSERT INTO key_events (${KEY}) VALUES (?, ?, ?, ?, ?, ?, ?)`
const INSERT_WRAP = `INSERT INTO key_events (${KEY}, kek_id, kek_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
const SELECT_EVENTS =
  'SELECT happened_at, kind, actor, reason, kek_id, kek_version FROM key_events WHERE dek_id = ?'

/** {@link KeyEventLog} over Cassandra. It inserts and selects; nothing in it changes or deletes. */
export class CassandraKeyEventLog implements KeyEventLog {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  /** The events of one DEK are one mutation: all of them are there or none. */
  async append(events: readonly KeyEvent[]): Promise<void> {
    const byDek = [...Map.groupBy(events, ({ dekId }) => dekId).values()]
    const writes = byDek.map((ofDek) => this.#connection.batch(ofDek.map(insertOf)))
    for (const outcome of await Promise.allSettled(writes)) {
      if (outcome.status === 'rejected') throw outcome.reason
    }
  }

  async *eventsOf(dekId: string): AsyncGenerator<KeyEvent> {
    const rows = this.#connection.rows(SELECT_EVENTS, [uuidBytes(dekId)])
    for await (const row of rows) yield eventOf(dekId, row)
  }
}

function insertOf(event: KeyEvent): CqlStatement {
  const { dekId, kind, atMs, actor, reason, kekId, kekVersion } = event
  const order = KEY_EVENT_KINDS.indexOf(kind)
  const key = [uuidBytes(dekId), new Date(atMs), order, idOf(event), kind, actor, reason]
  if (kekId === null) return { query: INSERT_EVENT, params: key }
  return { query: INSERT_WRAP, params: [...key, kekId, kekVersion] }
}

/** 16 bytes that are the same for the same event and no other. */
function idOf({ dekId, kind, atMs, actor, reason, kekId, kekVersion }: KeyEvent): Buffer {
  const content = JSON.stringify([dekId, kind, atMs, actor, reason, kekId, kekVersion])
  return createHash('sha256').update(content).digest().subarray(0, 16)
}

function eventOf(dekId: string, row: types.Row): KeyEvent {
  return {
    dekId,
    kind: row.kind as KeyEventKind,
    atMs: (row.happened_at as Date).getTime(),
    actor: row.actor,
    reason: row.reason,
    kekId: row.kek_id,
    kekVersion: row.kek_version,
  }
}
