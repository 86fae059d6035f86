import { bareKekId } from '../../keys/kek-name.ts'
import type { DekRecord, KeyStore } from '../../keys/key-store.ts'
import type { DekEntry } from '../../mapping/mapping-store.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'
import { DayNotes, dayOf } from './look-up-days.ts'
import { dekEntry } from './mapping-reader.ts'

const SELECT_DEKS = 'SELECT dek_id, key_domain, kek_id, kek_version, created_at FROM deks'
const INSERT_DEK =
  'INSERT INTO deks (dek_id, key_domain, kek_id, kek_version, wrapped, created_at) VALUES (?, ?, ?, ?, ?, ?)'
const INSERT_BY_KEK =
  'INSERT INTO deks_by_kek (kek_id, day, created_at, dek_id, key_domain, kek_version) VALUES (?, ?, ?, ?, ?, ?)'
const INSERT_BY_DOMAIN =
  'INSERT INTO deks_by_domain (key_domain, day, created_at, dek_id, kek_id, kek_version) VALUES (?, ?, ?, ?, ?, ?)'
const INSERT_KEK_DAY = 'INSERT INTO kek_days (kek_name, day, kek_id) VALUES (?, ?, ?)'

/** The Cassandra half of {@link KeyStore}: what look-ups by DEK, KEK and key domain stand on. */
export class CassandraDekStore implements KeyStore {
  readonly #connection: CassandraConnection
  /** The last day noted for a KEK: spares two writes a DEK, and holds one entry a KEK. */
  readonly #dayNoted = new Map<string, string>()
  readonly #domainDays: DayNotes

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
    this.#domainDays = new DayNotes(connection)
  }

  /** The order of the writes does not matter: no DEK is used before all of them are durable. */
  async recordDek(dek: DekRecord): Promise<void> {
    const { keyDomain, kekId, kekVersion, wrapped } = dek
    const dekId = uuidBytes(dek.dekId)
    const createdAt = new Date(dek.createdAtMs)
    const day = dayOf(dek.createdAtMs)
    const blob = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.byteLength)
    const byKek = [kekId, day, createdAt, dekId, keyDomain, kekVersion]
    await Promise.all([
      this.#connection.execute(INSERT_DEK, [dekId, keyDomain, kekId, kekVersion, blob, createdAt]),
      this.#connection.execute(INSERT_BY_KEK, byKek),
      this.noteDomain(dek),
      this.#noteDay(kekId, day),
    ])
  }

  /** What look-ups by key domain stand on, alone. May be repeated. */
  async noteDomain(dek: DekEntry): Promise<void> {
    const { keyDomain, kekId, kekVersion } = dek
    const createdAt = new Date(dek.createdAtMs)
    const day = dayOf(dek.createdAtMs)
    const byDomain = [keyDomain, day, createdAt, uuidBytes(dek.dekId), kekId, kekVersion]
    await Promise.all([
      this.#connection.execute(INSERT_BY_DOMAIN, byDomain),
      this.#domainDays.note('domain', keyDomain, dek.createdAtMs),
    ])
  }

  /** Every DEK on record, in no order, a page at a time. */
  async *deks(): AsyncGenerator<DekEntry> {
    for await (const row of this.#connection.rows(SELECT_DEKS, [])) yield dekEntry(row)
  }

  async #noteDay(kekId: string, day: string): Promise<void> {
    if (this.#dayNoted.get(kekId) === day) return
    const names = new Set([kekId, bareKekId(kekId)])
    const writes = [...names].map((name) =>
      this.#connection.execute(INSERT_KEK_DAY, [name, day, kekId]),
    )
    await Promise.all(writes)
    this.#dayNoted.set(kekId, day)
  }
}
