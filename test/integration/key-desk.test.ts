import { randomUUID } from 'node:crypto'
import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import {
  type CassandraConnection,
  connectCassandra,
} from '../../src/adapters/cassandra/connection.ts'
import { CassandraKekOrderLog } from '../../src/adapters/cassandra/kek-order-log.ts'
import { CassandraKeyDesk } from '../../src/adapters/cassandra/key-desk.ts'
import { CassandraKeyEventLog } from '../../src/adapters/cassandra/key-event-log.ts'
import { migrate } from '../../src/adapters/cassandra/schema.ts'
import { systemClock } from '../../src/clock.ts'
import { REQUEST_MS } from '../../src/keys/key-desk.ts'
import { kekOrdersContract } from '../contracts/kek-orders.contract.ts'
import { keyDeskContract, keyRequest } from '../contracts/key-desk.contract.ts'
import { keyEvent, keyEventLogContract } from '../contracts/key-event-log.contract.ts'

const { contactPoints, localDatacenter } = inject('stack').cassandra
const keyspace = `t_${randomUUID().replaceAll('-', '')}`
const options = { contactPoints, localDatacenter, keyspace, requestTimeoutMs: 10_000 }
/** Long enough for thousands of keys to be written and read. */
const ANNOUNCED_MS = 3_000

const plain = new Client({ contactPoints: [...contactPoints], localDataCenter: localDatacenter })
let connection: CassandraConnection
let desk: CassandraKeyDesk
let log: CassandraKeyEventLog

beforeAll(async () => {
  await migrate(options, { replicationFactor: 1, createSchema: true })
  connection = await connectCassandra(options)
  desk = new CassandraKeyDesk(connection, ANNOUNCED_MS)
  log = new CassandraKeyEventLog(connection)
}, 60_000)

afterAll(async () => {
  await connection?.close()
  await plain.execute(`DROP KEYSPACE IF EXISTS ${keyspace}`)
  await plain.shutdown()
}, 60_000)

async function runOut(): Promise<void> {
  while ((await desk.keysInUse()).length > 0) await systemClock.sleep(100)
}

describe('the desk over Cassandra', () => {
  keyDeskContract(() => ({ desk, office: desk, runOut }))

  test('keeps a request for a day', async () => {
    const request = keyRequest()
    await desk.place(request)
    const query = `SELECT TTL(reason) AS ttl FROM ${keyspace}.key_requests WHERE shard = 0 AND request_id = ${request.requestId}`
    const { ttl } = (await plain.execute(query)).first()
    expect(ttl).toBeGreaterThan(REQUEST_MS / 1000 - 60)
    expect(ttl).toBeLessThanOrEqual(REQUEST_MS / 1000)
  })
})

describe('KEK orders over Cassandra', () => {
  kekOrdersContract(() => new CassandraKekOrderLog(connection))
})

describe('the log of key events over Cassandra', () => {
  keyEventLogContract(() => log)

  test('keeps events for good', async () => {
    const event = keyEvent()
    await log.append([event])
    const query = `SELECT TTL(actor) AS ttl FROM ${keyspace}.key_events WHERE dek_id = ${event.dekId}`
    expect((await plain.execute(query)).first().ttl).toBeNull()
  })
})
