import { SealError } from '../../errors.ts'
import { bareKekId } from '../../keys/kek-name.ts'
import type { DekRecord } from '../../keys/key-store.ts'
import type { WrapRegister } from '../../keys/wrap-register.ts'
import type { CassandraConnection } from './connection.ts'
import { readDekRecord } from './dek-records.ts'
import { uuidBytes } from './ids.ts'
import { dayOf } from './look-up-days.ts'

// Names and versions are added to, never overwritten: what ever wrapped a DEK stays on record. The
// key domain makes a row of what has no version.
const UPDATE_BY_KEK =
  'UPDATE deks_by_kek SET key_domain = ?, later_versions = later_versions + ? WHERE kek_id = ? AND day = ? AND created_at = ? AND dek_id = ?'
const INSERT_KEK_DAY = 'INSERT INTO kek_days (kek_name, day, kek_id) VALUES (?, ?, ?)'
const UPDATE_WRAP =
  'UPDATE deks SET kek_id = ?, kek_version = ?, wrapped = ? WHERE dek_id = ? IF wrapped = ?'

// What look-ups by key domain tell of the KEK; nothing goes by it.
const UPDATE_BY_DOMAIN =
  'UPDATE deks_by_domain SET kek_id = ?, kek_version = ? WHERE key_domain = ? AND day = ? AND created_at = ? AND dek_id = ?'

/** {@link WrapRegister} over Cassandra. */
export class CassandraWrapRegister implements WrapRegister {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  find(dekId: string): Promise<DekRecord | null> {
    return readDekRecord(this.#connection, dekId)
  }

  async noteWrap({ dekId, keyDomain, kekId, kekVersion, createdAtMs }: DekRecord): Promise<void> {
    const createdAt = new Date(createdAtMs)
    const day = dayOf(createdAtMs)
    const versions = kekVersion === null ? [] : [kekVersion]
    const key = [kekId, day, createdAt, uuidBytes(dekId)]
    const names = [...new Set([kekId, bareKekId(kekId)])]
    await Promise.all([
      this.#connection.execute(UPDATE_BY_KEK, [keyDomain, versions, ...key]),
      ...names.map((name) => this.#connection.execute(INSERT_KEK_DAY, [name, day, kekId])),
    ])
  }

  async replaceWrap(dek: DekRecord, expected: Uint8Array): Promise<boolean> {
    const { kekId, kekVersion, dekId } = dek
    const wrapped = blob(dek.wrapped)
    const params = [kekId, kekVersion, wrapped, uuidBytes(dekId), blob(expected)]
    const result = await this.#connection.execute(UPDATE_WRAP, params)
    const found = await this.find(dekId)
    if (found !== null && Buffer.compare(found.wrapped, wrapped) === 0) {
      await this.#noteDomain(found)
      return true
    }
    if (!result.wasApplied()) return false
    // Transactions write with the time of the node, DEKs are recorded with that of their encryptor.
    const isUnchanged = found !== null && Buffer.compare(found.wrapped, expected) === 0
    if (!isUnchanged) return false
    const message = `Cassandra took the new wrap of DEK ${dekId} and shows the old one: the clock of the encryptor that made it was ahead; try again when that time has passed`
    throw new SealError('SEAL_MAPPING_REFUSED', message)
  }

  async #noteDomain(dek: DekRecord): Promise<void> {
    const { dekId, keyDomain, kekId, kekVersion, createdAtMs } = dek
    const key = [keyDomain, dayOf(createdAtMs), new Date(createdAtMs), uuidBytes(dekId)]
    await this.#connection.execute(UPDATE_BY_DOMAIN, [kekId, kekVersion, ...key])
  }
}

function blob(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
