import type { CassandraConnection } from './connection.ts'

const INSERT_DAY = 'INSERT INTO look_up_days (kind, name, day, part) VALUES (?, ?, ?, ?)'
const SELECT_DAYS = 'SELECT day, part FROM look_up_days WHERE kind = ? AND name = ?'
const SELECT_NAMES = 'SELECT DISTINCT kind, name FROM look_up_days'

const DELETE_NAME = 'DELETE FROM look_up_days WHERE kind = ? AND name = ?'

const COVERAGE = 'coverage'
/** Under the kind of coverage: what was in the bucket before the keyspace. */
const GAP = 'gap'
/** The name where a kind has only one. */
const ALL = 'all'

/** What has days: key domains, the partitions of topics, and message ids by the hour. */
export type DayKind = 'domain' | 'topic' | 'message-id'

/** A day with rows; `part` is a partition or an hour. */
export interface LookUpDay {
  /** As Cassandra takes it, `2026-01-02`. */
  readonly day: string
  readonly part: number
}

/** The day of a moment in UTC, as Cassandra takes it. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}

/** Notes days, each once while it is the last one noted of its kind, name and part. */
export class DayNotes {
  readonly #connection: CassandraConnection
  /** One entry a domain, source and message-id hour. */
  readonly #noted = new Map<string, string>()

  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  async note(kind: DayKind, name: string, atMs: number, part = 0): Promise<void> {
    const key = `${kind}/${part}/${name}`
    const day = dayOf(atMs)
    if (this.#noted.get(key) === day) return
    await this.#connection.execute(INSERT_DAY, [kind, name, day, part])
    this.#noted.set(key, day)
  }
}

/** The days of a name, in order; none for a name that nobody noted. */
export async function* daysOf(
  connection: CassandraConnection,
  kind: DayKind,
  name = ALL,
): AsyncGenerator<LookUpDay> {
  for await (const { day, part } of connection.rows(SELECT_DAYS, [kind, name])) {
    yield { day: String(day), part }
  }
}

/** Every name of a kind. */
export async function* namesOf(
  connection: CassandraConnection,
  kind: DayKind,
): AsyncGenerator<string> {
  for await (const row of connection.rows(SELECT_NAMES, [])) if (row.kind === kind) yield row.name
}

/**
 * Whether the look-ups cover all that was sealed in the keyspace: it was made with their tables, or
 * what is older was added since; and it was not made anew beside segments that it has not heard of.
 * Errors: SEAL_MAPPING_UNAVAILABLE, SEAL_MAPPING_REFUSED.
 */
export async function lookUpsCoverAll(connection: CassandraConnection): Promise<boolean> {
  if (await hasGap(connection)) return false
  return (await connection.execute(SELECT_DAYS, [COVERAGE, ALL])).rowLength > 0
}

/** Whether the keyspace was made anew, and nothing has told it since what the bucket holds. */
export async function hasGap(connection: CassandraConnection): Promise<boolean> {
  return (await connection.execute(SELECT_DAYS, [COVERAGE, GAP])).rowLength > 0
}

/**
 * Notes that look-ups cover what the rows of all segments on record say. What the keyspace has not
 * heard of stays a gap: that ends with {@link noteCoverage}.
 */
export async function noteBackfill(connection: CassandraConnection, atMs: number): Promise<void> {
  await connection.execute(INSERT_DAY, [COVERAGE, ALL, dayOf(atMs), 0])
}

/** Notes that they cover all that the bucket holds. */
export async function noteCoverage(connection: CassandraConnection, atMs: number): Promise<void> {
  await noteBackfill(connection, atMs)
  await connection.execute(DELETE_NAME, [COVERAGE, GAP])
}

/** Notes that there may be segments that the keyspace, which was just made, has not heard of. */
export async function noteGap(
  connection: CassandraConnection,
  atMs: number,
  keyspace: string,
): Promise<void> {
  const query = INSERT_DAY.replace('look_up_days', `${keyspace}.look_up_days`)
  await connection.execute(query, [COVERAGE, GAP, dayOf(atMs), 0])
}
