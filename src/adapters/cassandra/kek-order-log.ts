import type { types } from 'cassandra-driver'
import { SealError } from '../../errors.ts'
import type { KekOrder, KekOrderLog, NewKekOrder, RetiredKek } from '../../keys/kek-orders.ts'
import type { CassandraConnection } from './connection.ts'
import { uuidBytes } from './ids.ts'

/** All orders are one partition: a transaction on it sees every one before it. */
const SHARD = 0

const COLUMNS =
  'sequence, order_id, placed_at, actor, reason, key_domain, from_kek_id, to_kek_id, is_contained'
const SELECT_ORDERS = `SELECT ${COLUMNS} FROM kek_orders WHERE shard = ? AND sequence > ?`
const INSERT_ORDER = `INSERT INTO kek_orders (shard, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`

const RETIRED = 'kek_id, kek_version, retired_at, actor, reason'
const SELECT_RETIRED = `SELECT ${RETIRED} FROM retired_keks WHERE shard = ?`
const INSERT_RETIRED = `INSERT INTO retired_keks (shard, ${RETIRED}) VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS`
/** Stands for the KEK as a whole, where the key of a row can be no null. */
const ALL_VERSIONS = ''

/** Operators who give orders at the same moment; each try that fails is another's that went through. */
const TRIES_MAX = 20

/** {@link KekOrderLog} over Cassandra. It inserts and selects; nothing in it changes or deletes. */
export class CassandraKekOrderLog implements KekOrderLog {
  readonly #connection: CassandraConnection

  /** The connection stays the caller's to close. */
  constructor(connection: CassandraConnection) {
    this.#connection = connection
  }

  async orders(after: number): Promise<readonly KekOrder[]> {
    const orders: KekOrder[] = []
    for await (const row of this.#connection.rows(SELECT_ORDERS, [SHARD, after])) {
      orders.push(orderOf(row))
    }
    return orders
  }

  async append(order: NewKekOrder): Promise<KekOrder> {
    const { placedAtMs, actor, reason, keyDomain, fromKekId, toKekId, isContained } = order
    const about = [uuidBytes(order.orderId), new Date(placedAtMs), actor, reason]
    const scope = [keyDomain, fromKekId, toKekId, isContained]
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const before = await this.orders(0)
      const known = before.find(({ orderId }) => orderId === order.orderId)
      // The answer of an earlier try got lost.
      if (known !== undefined) return known
      const sequence = (before.at(-1)?.sequence ?? 0) + 1
      const params = [SHARD, sequence, ...about, ...scope]
      const result = await this.#connection.execute(INSERT_ORDER, params)
      if (result.wasApplied()) return { ...order, sequence }
    }
    const message = `${TRIES_MAX} other KEK orders were given in the same moment, try again`
    throw new SealError('SEAL_MAPPING_UNAVAILABLE', message, { retryable: true })
  }

  async retired(): Promise<readonly RetiredKek[]> {
    const keks: RetiredKek[] = []
    for await (const row of this.#connection.rows(SELECT_RETIRED, [SHARD])) {
      keks.push({
        kekId: row.kek_id,
        kekVersion: row.kek_version === ALL_VERSIONS ? null : row.kek_version,
        atMs: (row.retired_at as Date).getTime(),
        actor: row.actor,
        reason: row.reason,
      })
    }
    return keks
  }

  async retire({ kekId, kekVersion, atMs, actor, reason }: RetiredKek): Promise<void> {
    const key = [SHARD, kekId, kekVersion ?? ALL_VERSIONS]
    await this.#connection.execute(INSERT_RETIRED, [...key, new Date(atMs), actor, reason])
  }
}

function orderOf(row: types.Row): KekOrder {
  return {
    sequence: row.sequence,
    orderId: String(row.order_id),
    placedAtMs: (row.placed_at as Date).getTime(),
    actor: row.actor,
    reason: row.reason,
    keyDomain: row.key_domain,
    fromKekId: row.from_kek_id,
    toKekId: row.to_kek_id,
    isContained: row.is_contained,
  }
}
