import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import {
  type CassandraConnection,
  type CassandraOptions,
  connectCassandra,
} from '../../src/adapters/cassandra/connection.ts'
import { CassandraDekStore } from '../../src/adapters/cassandra/dek-store.ts'
import { durabilityOf } from '../../src/adapters/cassandra/durability.ts'
import { CassandraLookUps } from '../../src/adapters/cassandra/look-ups.ts'
import { CassandraMappingWriter } from '../../src/adapters/cassandra/mapping-writer.ts'
import { CassandraRotationLog } from '../../src/adapters/cassandra/rotation-log.ts'
import { migrate } from '../../src/adapters/cassandra/schema.ts'
import { CassandraSegmentRegister } from '../../src/adapters/cassandra/segment-register.ts'
import { CassandraSegmentReplacements } from '../../src/adapters/cassandra/segment-replacements.ts'
import { CassandraShredRegister } from '../../src/adapters/cassandra/shred-register.ts'
import { CassandraWrapRegister } from '../../src/adapters/cassandra/wrap-register.ts'
import { systemClock } from '../../src/clock.ts'
import { impactOf } from '../../src/incident/impact.ts'
import { messagesOf } from '../../src/mapping/mapped-messages.ts'
import type { MappingMode, MappingWriter } from '../../src/mapping/mapping-store.ts'
import { lookUpsContract } from '../contracts/look-ups.contract.ts'
import {
  all,
  columnsOf,
  dekRecord,
  type MappingStoreParts,
  mappedMessagesContract,
  mappingStoreContract,
  messagesFrom,
} from '../contracts/mapping-store.contract.ts'
import { rotationLogContract } from '../contracts/rotation-log.contract.ts'
import { segmentRegisterContract } from '../contracts/segment-register.contract.ts'
import { segmentReplacementsContract } from '../contracts/segment-replacements.contract.ts'
import { shredRegisterContract } from '../contracts/shred-register.contract.ts'
import { wrapRegisterContract } from '../contracts/wrap-register.contract.ts'

const { contactPoints, localDatacenter } = inject('stack').cassandra
const keyspace = `t_${randomUUID().replaceAll('-', '')}`
const options: CassandraOptions = {
  contactPoints,
  localDatacenter,
  keyspace,
  requestTimeoutMs: 10_000,
}
const create = { replicationFactor: 1, createSchema: true }
const look = { replicationFactor: 1, createSchema: false }

/** Beside the adapter, to see what it left in the tables. */
const plain = new Client({
  contactPoints: [...contactPoints],
  localDataCenter: localDatacenter,
})
let connection: CassandraConnection
/** The store whose writer writes in `mode`; its reader is the same for all. */
const partsOf = (mode: MappingMode): MappingStoreParts => ({
  writer: new CassandraMappingWriter(connection, systemClock, mode),
  reader: new CassandraLookUps(connection),
  keys: new CassandraDekStore(connection),
})
const TABLES = [
  ['rows', 'message_encryption_map'],
  ['runs', 'message_runs'],
] as const

beforeAll(async () => {
  await Promise.all([migrate(options, create), migrate(options, create)])
  connection = await connectCassandra(options)
}, 60_000)

test('tells what its acknowledgements are worth: the stack keeps one copy, which is on disk', async () => {
  const durability = await durabilityOf(connection, options)
  expect(durability).toEqual({ commitlogSync: 'batch', copies: 1 })
})

afterAll(async () => {
  await connection?.close()
  await plain.execute(`DROP KEYSPACE IF EXISTS ${keyspace}`)
  await plain.shutdown()
}, 60_000)

describe.each(TABLES)('the mapping store over Cassandra, in %s', (mode, tableName) => {
  const parts = () => partsOf(mode)
  mappingStoreContract(parts)
  lookUpsContract(parts)
  const everything = () => ({
    ...{ ...parts(), register: new CassandraSegmentRegister(connection) },
    replacements: new CassandraSegmentReplacements(connection),
  })
  segmentRegisterContract(everything)
  segmentReplacementsContract(everything)

  test('notes object and status with the rows, and a repetition keeps a later status', async () => {
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    const where = `WHERE dek_id = ${segment.dekId} AND segment_id = ${segment.segmentId}`
    const table = `${keyspace}.${tableName}`
    const { writer } = parts()
    const query = `SELECT object_path, encrypted_at, key_rotation_status FROM ${table} ${where}`
    const frames = columnsOf(messagesFrom(0, 260))

    await writer.writeRows(segment, 'segments/a.seal', frames)
    const first = (await plain.execute(query)).first()
    expect(first.object_path).toBe('segments/a.seal')
    expect(first.encrypted_at).toBeInstanceOf(Date)
    expect(first.key_rotation_status).toBe('current')

    await plain.execute(`UPDATE ${table} SET key_rotation_status = 'compromised' ${where}`)
    await writer.writeRows(segment, 'segments/a.seal', frames)
    expect((await plain.execute(query)).first().key_rotation_status).toBe('compromised')
  })
})

/** Writes part after part in another mode. */
class ChangingWriter extends CassandraMappingWriter {
  #isRuns = false

  override writeRows(...call: Parameters<MappingWriter['writeRows']>): Promise<void> {
    this.#isRuns = !this.#isRuns
    return this.#isRuns ? partsOf('runs').writer.writeRows(...call) : super.writeRows(...call)
  }
}

describe('a mapping whose mode was changed', () => {
  mappedMessagesContract(() => ({
    ...partsOf('rows'),
    writer: new ChangingWriter(connection, systemClock, 'rows'),
  }))

  test('loses what was written in either mode when its segment is swept', async () => {
    const segment = { dekId: randomUUID(), segmentId: randomUUID() }
    const { reader } = partsOf('rows')
    for (const [mode] of TABLES) {
      await partsOf(mode).writer.writeRows(segment, 'a', columnsOf(messagesFrom(0, 3)))
    }
    await new CassandraSegmentRegister(connection).markSwept(segment, Date.now())
    const left = messagesOf(reader, { ...segment, rowsDekId: segment.dekId })
    expect(await all(left)).toEqual([])
  })
})

describe('runs', () => {
  const segment = { dekId: randomUUID(), segmentId: randomUUID() }
  const rowsKey = { rowsDekId: segment.dekId, segmentId: segment.segmentId }
  const where = `WHERE dek_id = ${segment.dekId} AND segment_id = ${segment.segmentId}`

  test('of a part are a row a source, in a few bytes a message', async () => {
    const { writer } = partsOf('runs')
    const messages = [0, 1, 2].flatMap((partition) => messagesFrom(9, 800, 'orders', partition))
    await writer.writeRows(segment, 'a', columnsOf(messages))
    const query = `SELECT partition, base_offset, last_offset, message_count, packed FROM ${keyspace}.message_runs ${where}`
    const { rows } = await plain.execute(query)
    expect(rows.map((row) => row.partition)).toEqual([0, 1, 2])
    expect(rows.map((row) => [Number(row.base_offset), Number(row.last_offset)])).toEqual(
      rows.map(() => [9, 808]),
    )
    expect(rows.map((row) => row.message_count)).toEqual([800, 800, 800])
    expect(Math.max(...rows.map((row) => row.packed.length))).toBeLessThan(900)
  })

  test('that are damaged fail the look-up, and say which', async () => {
    const { reader } = partsOf('rows')
    const damage = `UPDATE ${keyspace}.message_runs SET message_count = 799 ${where} AND topic = 'orders' AND partition = 1 AND base_offset = 9 AND last_offset = 808`
    await plain.execute(damage)
    await expect(all(messagesOf(reader, rowsKey))).rejects.toMatchObject({
      code: 'SEAL_MALFORMED',
      message: expect.stringMatching(
        `orders/1 from offset 9 on, in segment ${segment.segmentId} under DEK ${segment.dekId} .*checksum`,
      ),
    })
  })
})

describe('the keys and their look-ups', () => {
  rotationLogContract(() => ({
    keys: new CassandraDekStore(connection),
    rotation: new CassandraRotationLog(connection),
  }))
  wrapRegisterContract(() => ({
    ...{ ...partsOf('rows'), register: new CassandraWrapRegister(connection) },
  }))
  shredRegisterContract(() => ({
    ...{ ...partsOf('rows'), register: new CassandraWrapRegister(connection) },
    shreds: new CassandraShredRegister(connection),
  }))

  test('says that a new wrap does not show, when the maker of the DEK had a fast clock', async () => {
    const dek = dekRecord({ wrapped: Buffer.from('old') })
    const aheadMicros = (systemClock.nowMs() + 3_600_000) * 1000
    await plain.execute(
      `INSERT INTO ${keyspace}.deks (dek_id, key_domain, kek_id, kek_version, wrapped, created_at) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ${aheadMicros}`,
      [dek.dekId, dek.keyDomain, dek.kekId, dek.kekVersion, dek.wrapped, new Date(dek.createdAtMs)],
      { prepare: true },
    )
    const register = new CassandraWrapRegister(connection)
    const next = { ...dek, kekId: 'another', wrapped: Buffer.from('new') }
    await expect(register.replaceWrap(next, dek.wrapped)).rejects.toMatchObject({
      code: 'SEAL_MAPPING_REFUSED',
    })
    expect(await register.find(dek.dekId)).toEqual(dek)
  })

  test('keeps the wrapped DEK, byte for byte', async () => {
    const parts = partsOf('rows')
    const wrapped = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff)
    const dek = dekRecord({ wrapped: wrapped.subarray(7) })
    await parts.keys.recordDek(dek)
    const query = `SELECT wrapped FROM ${keyspace}.deks WHERE dek_id = ${dek.dekId}`
    const row = (await plain.execute(query)).first()
    expect(Uint8Array.from(row.wrapped)).toEqual(wrapped.subarray(7))
  })

  test('answers for a KEK through the same look-ups as the incident commands', async () => {
    const parts = partsOf('runs')
    const dek = dekRecord()
    const segment = { dekId: dek.dekId, segmentId: randomUUID() }
    await parts.keys.recordDek(dek)
    await parts.writer.recordIntent({ ...segment, objectKey: 'a', createdAtMs: dek.createdAtMs })
    await parts.writer.writeRows(segment, 'a', columnsOf(messagesFrom(0, 3)))
    const bare = dek.kekId.split('/')[1] as string
    expect(await impactOf(parts.reader, { kekId: bare })).toMatchObject({ deks: 1, messages: 3 })
  })

  test('refuses an id that is none', async () => {
    await expect(partsOf('rows').reader.findDek('no-uuid')).rejects.toMatchObject({
      code: 'SEAL_INPUT_INVALID',
    })
  })
})

describe('the schema', () => {
  test('may be applied again, and is seen to be there', async () => {
    await migrate(options, create)
    await migrate(options, look)
    const rows = await plain.execute(`SELECT version FROM ${keyspace}.schema_versions`)
    const versions = rows.rows.map((row) => row.version as number)
    expect(versions.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  test('missing, is refused with the way out, and nothing is created', async () => {
    const missing = { ...options, keyspace: `${keyspace}_x` }
    const refused = {
      code: 'SEAL_MAPPING_REFUSED',
      message: expect.stringContaining('cassandra.createSchema'),
    }
    await expect(migrate(missing, look)).rejects.toMatchObject(refused)
    await expect(connectCassandra(missing)).rejects.toMatchObject(refused)
  })

  test('of a keyspace whose name could carry CQL is refused', async () => {
    const odd = { ...options, keyspace: 'a; DROP KEYSPACE b' }
    await expect(migrate(odd, create)).rejects.toMatchObject({ code: 'SEAL_CONFIG_INVALID' })
  })
})

describe('a connection that cannot be made', () => {
  test('to a port where nothing listens fails with one message that names it', async () => {
    const dead = { ...options, contactPoints: ['127.0.0.1:1'] }
    await expect(connectCassandra(dead)).rejects.toMatchObject({
      code: 'SEAL_MAPPING_UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining('127.0.0.1:1'),
    })
  })

  test('to a port that answers nothing fails within its deadline', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port } = silent.address() as { port: number }
    const mute = { ...options, contactPoints: [`127.0.0.1:${port}`], requestTimeoutMs: 60_000 }
    await expect(connectCassandra(mute)).rejects.toMatchObject({
      code: 'SEAL_MAPPING_UNAVAILABLE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
    silent.close()
  }, 15_000)

  test('to a datacenter that is none names those there are', async () => {
    await expect(connectCassandra({ ...options, localDatacenter: 'mars' })).rejects.toMatchObject({
      code: 'SEAL_MAPPING_REFUSED',
      message: expect.stringMatching(new RegExp(`mars.*${localDatacenter}`)),
    })
  })

  test('for a CA file that is not there names the file', async () => {
    const tls = { caFile: 'no-such-ca.pem' }
    await expect(connectCassandra({ ...options, tls })).rejects.toMatchObject({
      code: 'SEAL_CONFIG_INVALID',
      message: expect.stringContaining('no-such-ca.pem'),
    })
  })
})
