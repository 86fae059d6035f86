import { describe, expect, test } from 'vitest'
import { connectCassandra } from '../../src/adapters/cassandra/connection.ts'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { numberedRecords } from '../support/records.ts'
import { expectReferencedOnce } from '../support/sealed-proof.ts'
import type { SealingPlace } from '../support/sealing-place.ts'
import { sealingScene } from '../support/sealing-scene.ts'
import { expectVerified } from '../support/verified.ts'

/** What the test reads of a listed message. */
interface ListedMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly position: number
  readonly length: number
  readonly object: string
}

const PARTITIONS = 4
const COUNT = 12_000
const LATER = 500

const scene = sealingScene()

async function countOf({ stack, keyspace }: SealingPlace, table: string): Promise<number> {
  const { contactPoints, localDatacenter } = stack.cassandra
  const cassandra = await connectCassandra({
    ...{ contactPoints, localDatacenter, keyspace, requestTimeoutMs: 10_000 },
  })
  const counted = await cassandra.execute(`SELECT COUNT(topic) AS n FROM ${table}`, [])
  await cassandra.close()
  return Number(counted.first().n)
}

/** What the KEK of the place ever protected, as `impact` lists it. */
async function impactList(place: SealingPlace, config: string): Promise<ListedMessage[]> {
  const kek = place.stack.kms.keyId
  const { code, stdout } = await runCommand(['impact', '--kek', kek, '--list', '--config', config])
  expect(code).toBe(0)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

describe('a road whose mapping is written by the run, and its references by the part', () => {
  test('and then message by message has all of it in the answers', async () => {
    const { kafka } = scene
    const place = await scene.newPlace('runs', PARTITIONS)
    const { topic, groupId } = place
    const messages = await kafka.appendMany(
      ...([topic, PARTITIONS, numberedRecords(COUNT, 'runs'), 500] as const),
    )
    const settings = { 'segment.messagesMax': 2_000, 'kafka.fetchBytesPerPartitionMax': '64KiB' }
    const packed = { 'mapping.mode': 'runs', 'kafka.referencePer': 'part' }
    const config = place.config({ ...settings, ...packed })
    const sealAll = async (path: string) => {
      const encryptor = new EncryptorProcess(path)
      const ends = await kafka.ends(topic)
      await encryptor.until('done', () => kafka.hasReached(groupId, topic, ends))
      expect((await encryptor.stop()).code).toBe(0)
    }
    await sealAll(config)
    expect(await countOf(place, 'message_encryption_map')).toBe(0)
    expect((await kafka.readAll(`${topic}.sealed`)).length).toBeLessThan(COUNT / 20)
    const records = numberedRecords(LATER, 'rows')
    messages.push(...(await kafka.appendMany(topic, PARTITIONS, records, 100)))
    await sealAll(place.config(settings))
    expect(await countOf(place, 'message_encryption_map')).toBe(LATER)
    expect(await countOf(place, 'message_runs')).toBeLessThan(COUNT / 20)

    const counts = await expectVerified(place, { config })
    expect(counts).toMatchObject({ openedEqual: COUNT + LATER, references: COUNT + LATER })
    const references = await expectReferencedOnce(kafka, topic, messages)
    const byPlace = (a: { partition: number; offset: number }, b: typeof a) =>
      a.partition - b.partition || a.offset - b.offset
    const found = (await impactList(place, config)).map(
      ({ topic: of, partition, offset, object, position, length }) => {
        return { topic: of, partition, offset, object, position, length }
      },
    )
    expect(found.toSorted(byPlace)).toEqual(references.toSorted(byPlace))
  })
})
