import { describe, expect, test } from 'vitest'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { numberedRecords, record } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import type { SealingPlace } from '../support/sealing-place.ts'
import { sealingScene } from '../support/sealing-scene.ts'

const LIMIT = { 'message.bytesMax': '64KiB' }
const CANARY = 'canary-of-the-unsealable-'
const PARTITIONS = 3
/** The partition that gets a message over the limit, between others. */
const BAD_PARTITION = 1
const shared = sealingScene()

interface Scene {
  readonly place: SealingPlace
  readonly bad: Message
  readonly before: readonly Message[]
  readonly after: readonly Message[]
}

/** Ten messages a partition, one that is too large on one partition, ten more each. */
async function newScene(name: string): Promise<Scene> {
  const place = await shared.newPlace(name, PARTITIONS)
  const { topic } = place
  const many = () => shared.kafka.appendMany(topic, PARTITIONS, numberedRecords(30, name), 10)
  const before = await many()
  const large = record({ value: Buffer.from(CANARY.repeat(4_000)) })
  const [bad] = await shared.kafka.append({ topic, partition: BAD_PARTITION }, [large])
  return { place, bad: bad as Message, before, after: await many() }
}

describe('a message over message.bytesMax', () => {
  test('stops its partition with an alarm, at the same offset after a restart; others go on', async () => {
    const { place, bad, before, after } = await newScene('stop')
    const sealable = [...before, ...after.filter(({ partition }) => partition !== BAD_PARTITION)]
    const config = place.config(LIMIT)
    for (let start = 1; start <= 2; start++) {
      const encryptor = new EncryptorProcess(config)
      const ends = new Map(Array.from({ length: PARTITIONS }, (_, partition) => [partition, 20]))
      ends.set(BAD_PARTITION, bad.offset)
      await encryptor.until('stopped on one partition and done on the others', async () => {
        const isStopped = encryptor.logged(/^partition stopped/).length > 0
        return isStopped && (await shared.kafka.hasReached(place.groupId, place.topic, ends))
      })

      expect(encryptor.logged(/^partition stopped/)).toMatchObject([
        { level: 'error', topic: place.topic, partition: BAD_PARTITION, offset: bad.offset },
      ])
      expect(await encryptor.metric('sealstream_partition_stops_total')).toBe(1)
      const readiness = await encryptor.readiness()
      expect(readiness).toMatchObject({ httpStatus: 200, status: 'degraded' })
      const where = `${place.topic}/${BAD_PARTITION} stopped at ${bad.offset}`
      expect(readiness?.reasons.join()).toContain(where)
      const ending = await encryptor.stop()
      expect(ending.code).toBe(0)
      expect(ending.stderr).not.toContain(CANARY)
      const committed = await shared.kafka.committed(place.groupId, place.topic)
      expect(committed.get(BAD_PARTITION)).toBe(bad.offset)
      await expectSealedOnce(shared.kafka, place, place.topic, sealable)
    }
  })

  test('is noted without its content and passed over where quarantine is configured', async () => {
    const { place, bad, before, after } = await newScene('quarantine')
    const config = place.config({ ...LIMIT, 'message.onUnsealable': 'quarantine' })
    const encryptor = new EncryptorProcess(config)
    const ends = await shared.kafka.ends(place.topic)
    await encryptor.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
    expect(await encryptor.metric('sealstream_quarantined_messages_total')).toBe(1)
    expect(await encryptor.readiness()).toMatchObject({ httpStatus: 200, status: 'ok' })
    expect((await encryptor.stop()).stderr).not.toContain(CANARY)
    await expectSealedOnce(shared.kafka, place, place.topic, [...before, ...after])

    const notes = await shared.kafka.readAll(`${place.topic}.quarantine`)
    expect(notes).toHaveLength(1)
    expect(notes[0]?.partition).toBe(BAD_PARTITION)
    expect(notes[0]?.key).toBeNull()
    const note = String(notes[0]?.value)
    const { topic, partition, offset } = bad
    expect(JSON.parse(note)).toEqual({
      ...{ v: 1, topic, partition, offset },
      reason: expect.stringMatching(/message\.bytesMax/),
    })
    expect(note).not.toContain('canary')
  })
})
