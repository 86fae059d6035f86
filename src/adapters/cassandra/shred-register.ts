import { SealError } from '../../errors.ts'
import type { RowsKey, SegmentKey } from '../../mapping/mapping-store.ts'
import type { ShredRegister } from '../../mapping/shred-register.ts'
import type { CassandraConnection } from './connection.ts'
import { readDekRecord } from './dek-records.ts'
import { uuidBytes } from './ids.ts'

const DESTROY_WRAP = 'UPDATE deks SET wrapped = null WHERE dek_id = ? IF EXISTS'
const UPDATE_STATUS = ['message_encryption_map', 'message_runs'].map(
  (table) =>
    `UPDATE ${table} SET key_rotation_status = 'shredded' WHERE dek_id = ? AND segment_id = ?`,
)
const INSERT_SHREDDED =
  'INSERT INTO segments_by_dek (dek_id, segment_id, shredded_at) VALUES (?, ?, ?)'

/** {@link ShredRegister} over Cassandra. */
export class CassandraShredRegister implements ShredRegister {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  /** By a transaction, as rewraps do it: the one of the two that comes second sees the other. */
  async destroyWrap(dekId: string): Promise<void> {
    await this.#connection.execute(DESTROY_WRAP, [uuidBytes(dekId)])
    const found = await readDekRecord(this.#connection, dekId)
    if (found === null || found.wrapped.length === 0) return
    const message = `Cassandra took the deletion of the wrap of DEK ${dekId} and shows it all the same: the clock of the encryptor that made it was ahead; try again when that time has passed`
    throw new SealError('SEAL_MAPPING_REFUSED', message)
  }

  /** The status is for those who read the table by themselves; nothing here goes by it. */
  async markShredded(
    { dekId, rowsDekId, segmentId }: SegmentKey & RowsKey,
    atMs: number,
  ): Promise<void> {
    const segment = uuidBytes(segmentId)
    for (const update of UPDATE_STATUS) {
      await this.#connection.execute(update, [uuidBytes(rowsDekId), segment])
    }
    await this.#connection.execute(INSERT_SHREDDED, [uuidBytes(dekId), segment, new Date(atMs)])
  }
}
