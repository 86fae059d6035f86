import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { EncryptorProcess } from '../support/encryptor-process.ts'
import { numberedRecords } from '../support/records.ts'
import { expectSealedOnce } from '../support/sealed-proof.ts'
import type { SealingPlace } from '../support/sealing-place.ts'
import { sealingScene } from '../support/sealing-scene.ts'

const POLL_MS = 50
const shared = sealingScene()

/** A topic of two partitions with ten messages each. */
async function newScene(name: string) {
  const place = await shared.newPlace(name, 2)
  const messages = await shared.kafka.appendMany(place.topic, 2, numberedRecords(20, name), 10)
  return { place, messages }
}

/** Runs until these offsets are committed, and then as long as `during` takes. */
async function seal(
  place: SealingPlace,
  ends: ReadonlyMap<number, number>,
  during: (encryptor: EncryptorProcess) => Promise<void> = async () => {},
) {
  const encryptor = new EncryptorProcess(place.config())
  await encryptor.until('done', () => shared.kafka.hasReached(place.groupId, place.topic, ends))
  await during(encryptor)
  return encryptor.stop()
}

const ends = (...offsets: number[]) => new Map(offsets.map((offset, i) => [i, offset]))
const stoppedLines = (encryptor: EncryptorProcess) => encryptor.logged(/^partition stopped/)

test('messages deleted before they were sealed stop their partition, and its offset stays', async () => {
  const { place, messages } = await newScene('deleted')
  await seal(place, ends(10, 10))
  await shared.kafka.appendMany(place.topic, 2, numberedRecords(20, 'later'), 10)
  const beside = await shared.kafka.append(
    { topic: place.topic, partition: 1 },
    numberedRecords(5, 'beside'),
  )
  const later = (await shared.kafka.readAll(place.topic)).filter(
    ({ partition, offset }) => partition === 1 && offset >= 10,
  )
  expect(later).toHaveLength(15)
  const partitions = [{ partition: 0, offset: '15' }]
  await shared.kafka.admin.deleteTopicRecords({ topic: place.topic, partitions })
  const ending = await seal(place, ends(10, 25), async (encryptor) => {
    await encryptor.until('stopped', () => stoppedLines(encryptor).length > 0)
    expect(JSON.stringify(stoppedLines(encryptor))).toMatch(
      /SEAL_SOURCE_GAP.*from offset 10 to 14 were deleted/,
    )
    // Kafka's client library would have committed its default here.
    expect(await shared.kafka.committed(place.groupId, place.topic)).toEqual(ends(10, 25))
  })
  expect(ending.code).toBe(0)
  const references = await shared.kafka.references(place.topic)
  const offsets = (at: number) =>
    references.filter(({ partition }) => partition === at).map(({ reference }) => reference.offset)
  expect(offsets(0)).toEqual(
    messages.filter(({ partition }) => partition === 0).map((m) => m.offset),
  )
  expect(offsets(1)).toHaveLength(25)
  expect(offsets(1).at(-1)).toBe(beside.at(-1)?.offset)
})

test('a committed offset behind the end stops the partition', async () => {
  const { place, messages } = await newScene('behind')
  const beyond = [{ partition: 0, offset: '50' }]
  await shared.kafka.admin.setOffsets({
    groupId: place.groupId,
    topic: place.topic,
    partitions: beyond,
  })
  const ending = await seal(place, ends(50, 10), async (encryptor) => {
    await encryptor.until('stopped', () => stoppedLines(encryptor).length > 0)
    expect(JSON.stringify(stoppedLines(encryptor))).toMatch(
      /SEAL_SOURCE_RESTARTED.*ends at offset 10, but was read up to 50/,
    )
    expect(await shared.kafka.committed(place.groupId, place.topic)).toEqual(ends(50, 10))
  })
  expect(ending.code).toBe(0)
  await expectSealedOnce(
    shared.kafka,
    place,
    place.topic,
    messages.filter(({ partition }) => partition === 1),
  )
})

test('a topic that is deleted and created again is not sealed under the old coordinates', async () => {
  const { place } = await newScene('again')
  const encryptor = new EncryptorProcess(place.config())
  await encryptor.until('done', () =>
    shared.kafka.hasReached(place.groupId, place.topic, ends(10, 10)),
  )
  const sealed = await shared.kafka.references(place.topic)
  await shared.kafka.admin.deleteTopics({ topics: [place.topic] })
  while ((await shared.kafka.admin.listTopics()).includes(place.topic))
    await systemClock.sleep(POLL_MS)
  await shared.kafka.createTopic(place.topic, 2)
  // At once, and beyond the old position: by its offsets alone it cannot be told from the old one.
  await shared.kafka.appendMany(place.topic, 2, numberedRecords(40, 'again'), 20)
  // Found out by itself, or by the next one.
  const outcome = await Promise.race([
    encryptor.ended.then(({ stderr }) => stderr),
    encryptor
      .until('stopped', () => stoppedLines(encryptor).length > 0)
      .then(() => encryptor.stderr)
      .catch(() => encryptor.stderr),
  ])
  expect(outcome).toMatch(/SEAL_TOPIC_MISSING|SEAL_SOURCE_RESTARTED/)
  encryptor.kill('SIGKILL')
  await encryptor.ended
  expect(await shared.kafka.references(place.topic)).toEqual(sealed)
  while ((await shared.kafka.committed(place.groupId, place.topic)).size > 0) {
    await systemClock.sleep(POLL_MS)
  }
  const next = await new EncryptorProcess(place.config()).ended
  expect(next.code).toBe(1)
  expect(next.stderr).toMatch(/has no committed offset any more, though .* has references/)
  expect(await shared.kafka.references(place.topic)).toEqual(sealed)
})
