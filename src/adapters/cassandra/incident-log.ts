import type { types } from 'cassandra-driver'
import type {
  IncidentDetails,
  IncidentEvent,
  IncidentEventKind,
  IncidentLease,
  IncidentLog,
  IncidentStep,
} from '../../response/incident-log.ts'
import { LEASE_MS } from '../../response/incident-log.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'

const SHARD = 0
const INSERT_NAME = 'INSERT INTO incidents (shard, declared_at, incident_id) VALUES (?, ?, ?)'
const SELECT_NAMES = 'SELECT incident_id FROM incidents WHERE shard = ? LIMIT ?'

const COLUMNS = 'sequence, event_id, happened_at, actor, run_id, kind, step, details'
const SELECT_EVENTS = `SELECT ${COLUMNS} FROM incident_events WHERE incident_id = ?`
const INSERT_EVENT = `INSERT INTO incident_events (incident_id, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`

/** {@link IncidentLog} over Cassandra. It inserts and selects; nothing in it changes or deletes. */
export class CassandraIncidentLog implements IncidentLog {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  async declare(event: IncidentEvent): Promise<void> {
    const { incidentId, atMs } = event
    await this.#connection.execute(INSERT_NAME, [SHARD, new Date(atMs), incidentId])
    await this.append(event)
  }

  async append(event: IncidentEvent): Promise<boolean> {
    const { incidentId, sequence, eventId, atMs, actor, runId, kind, step, details } = event
    const what = [uuidBytes(eventId), new Date(atMs), actor, runId, kind, step]
    const params = [incidentId, sequence, ...what, JSON.stringify(details)]
    const result = await this.#connection.execute(INSERT_EVENT, params)
    if (result.wasApplied()) return true
    // The answer of an earlier try may have got lost.
    return String(result.first()?.event_id) === eventId
  }

  async events(incidentId: string): Promise<readonly IncidentEvent[]> {
    const events: IncidentEvent[] = []
    for await (const row of this.#connection.rows(SELECT_EVENTS, [incidentId])) {
      events.push(eventOf(incidentId, row))
    }
    return events
  }

  async ids(max: number): Promise<readonly string[]> {
    const { rows } = await this.#connection.execute(SELECT_NAMES, [SHARD, max])
    return rows.map((row) => row.incident_id as string)
  }
}

const LEASE_SECONDS = LEASE_MS / 1000
const TAKE = `INSERT INTO incident_leases (incident_id, holder) VALUES (?, ?) IF NOT EXISTS USING TTL ${LEASE_SECONDS}`
const UPDATE = `UPDATE incident_leases USING TTL ${LEASE_SECONDS} SET holder = ? WHERE incident_id = ? IF holder = ?`
const RELEASE = 'DELETE FROM incident_leases WHERE incident_id = ? IF holder = ?'

/** {@link IncidentLease} over Cassandra, whose clock alone lets leases run out. */
export class CassandraIncidentLease implements IncidentLease {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  async take(incidentId: string, holder: string): Promise<string | null> {
    const result = await this.#connection.execute(TAKE, [incidentId, holder])
    if (result.wasApplied()) return null
    const found: unknown = result.first()?.holder
    // Its own, when the answer of an earlier try got lost.
    if (found === holder) return null
    return typeof found === 'string' ? found : 'that has just let go of it'
  }

  async takeOver(incidentId: string, from: string, holder: string): Promise<boolean> {
    return this.#set(incidentId, from, holder)
  }

  async renew(incidentId: string, holder: string): Promise<boolean> {
    return this.#set(incidentId, holder, holder)
  }

  async release(incidentId: string, holder: string): Promise<void> {
    await this.#connection.execute(RELEASE, [incidentId, holder])
  }

  async #set(incidentId: string, from: string, holder: string): Promise<boolean> {
    const result = await this.#connection.execute(UPDATE, [holder, incidentId, from])
    return result.wasApplied() || result.first()?.holder === holder
  }
}

function eventOf(incidentId: string, row: types.Row): IncidentEvent {
  return {
    incidentId,
    sequence: row.sequence,
    eventId: String(row.event_id),
    atMs: (row.happened_at as Date).getTime(),
    actor: row.actor,
    runId: row.run_id,
    kind: row.kind as IncidentEventKind,
    step: row.step as IncidentStep | null,
    details: JSON.parse(row.details) as IncidentDetails,
  }
}
