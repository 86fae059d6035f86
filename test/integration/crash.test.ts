import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Message } from '../../src/format/message.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import { SealingPlace } from '../support/sealing-place.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { expectVerified } from '../support/verified.ts'

const PARTITIONS = 4
const KILLS = 5
/** Waiting when each encryptor starts: far more than one gets through before it is killed. */
const MESSAGES_PER_START = 15_000
/** Small and short segments, so that a kill lands between any two of their steps. */
const SMALL_SEGMENTS = { 'segment.messagesMax': 2_000, 'segment.ageMs': '200ms' }

const place = new SealingPlace('crash')
let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(place.topic, PARTITIONS)
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

async function committedTotal(): Promise<number> {
  const committed = await kafka.committed(place.groupId, place.topic)
  return [...committed.values()].reduce((sum, offset) => sum + offset, 0)
}

describe('an encryptor that is killed without warning', () => {
  test(`${KILLS} times in mid-run has in the end sealed everything exactly once`, async () => {
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
    process.stderr.write(`crash: seed ${seed}\n`)
    const random = new SeededRandom(seed)
    const messages: Message[] = []
    const append = async () => {
      const records = numberedRecords(MESSAGES_PER_START, `crash ${messages.length}`)
      messages.push(...(await kafka.appendMany(place.topic, PARTITIONS, records, 1_000)))
    }
    const settings = { ...SMALL_SEGMENTS, 'kafka.fetchBytesPerPartitionMax': '64KiB' }
    const rows = place.config({ ...settings, 'mapping.mode': 'rows' })
    const runs = place.config({ ...settings, 'mapping.mode': 'runs' })

    let killsInMidRun = 0
    for (let kill = 1; kill <= KILLS; kill++) {
      await append()
      const encryptor = new EncryptorProcess(kill % 2 === 0 ? rows : runs)
      await encryptor.until(
        'at work',
        async () => (await encryptor.metric('sealstream_packed_messages_total')) > 0,
      )
      // From the first messages on, any moment of the steps that follow.
      await systemClock.sleep(random.between(0, 500))
      encryptor.kill('SIGKILL')
      expect((await encryptor.ended).signal).toBe('SIGKILL')
      if ((await committedTotal()) < messages.length) killsInMidRun++
    }
    expect(killsInMidRun).toBeGreaterThan(KILLS / 2)

    const encryptor = new EncryptorProcess(rows)
    const ends = await kafka.ends(place.topic)
    await encryptor.until('done', () => kafka.hasReached(place.groupId, place.topic, ends))
    expect((await encryptor.stop()).code).toBe(0)
    await expectSealedOnce(kafka, place, place.topic, messages)
    const counts = await expectVerified(place, { config: rows, args: ['--no-open'] })
    expect(counts.references).toBe(messages.length)
  }, 180_000)
})
