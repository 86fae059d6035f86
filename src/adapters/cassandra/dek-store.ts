import { bareKekId } from '../../keys/kek-name.ts'
import type { DekRecord, KeyStore } from '../../keys/key-store.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'

const INSERT_DEK =
  'INSERT INTO deks (dek_id, key_domain, kek_id, kek_version, wrapped, created_at) VALUES (?, ?, ?, ?, ?, ?)'
const INSERT_BY_KEK =
  'INSERT INTO deks_by_kek (kek_id, day, created_at, dek_id, key_domain, kek_version) VALUES (?, ?, ?, ?, ?, ?)'
const INSERT_BY_DOMAIN =
  'INSERT INTO deks_by_domain (key_domain, day, created_at, dek_id, kek_id, kek_version) VALUES (?, ?, ?, ?, ?, ?)'
const INSERT_DOMAIN_DAY = 'INSERT INTO domain_days (key_domain, day) VALUES (?, ?)'
const INSERT_KEK_DAY = 'INSERT INTO kek_days (kek_name, day, kek_id) VALUES (?, ?, ?)'

/** The Cassandra half of {@link KeyStore}: what look-ups by DEK, KEK and key domain stand on. */
export class CassandraDekStore implements KeyStore {
  readonly #connection: CassandraConnection
  /** The last day noted for a KEK: spares two writes a DEK, and holds one entry a KEK. */
  readonly #dayNoted = new Map<string, string>()

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  /** The order of the writes does not matter: no DEK is used before all of them are durable. */
  async recordDek(dek: DekRecord): Promise<void> {
    const { keyDomain, kekId, kekVersion, wrapped } = dek
    const dekId = uuidBytes(dek.dekId)
    const createdAt = new Date(dek.createdAtMs)
    const day = createdAt.toISOString().slice(0, 10)
    const blob = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.byteLength)
    const byKek = [kekId, day, createdAt, dekId, keyDomain, kekVersion]
    const byDomain = [keyDomain, day, createdAt, dekId, kekId, kekVersion]
    await Promise.all([
      this.#connection.execute(INSERT_DEK, [dekId, keyDomain, kekId, kekVersion, blob, createdAt]),
      this.#connection.execute(INSERT_BY_KEK, byKek),
      this.#connection.execute(INSERT_BY_DOMAIN, byDomain),
      this.#connection.execute(INSERT_DOMAIN_DAY, [keyDomain, day]),
      this.#noteDay(kekId, day),
    ])
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
