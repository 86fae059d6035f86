import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EncryptorProcess, runCommand } from '../support/encryptor-process.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { numberedRecords, oddRecords } from '../support/records.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const PARTITIONS = 3
const COUNT = 2_000
const place = new SealingPlace('verify', 2)
const [topic, oddTopic] = place.topics as [string, string]
let kafka: KafkaFixture
let config: string

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  await kafka.createTopic(topic, PARTITIONS)
  await kafka.createTopic(oddTopic, 1)
  await kafka.appendMany(topic, PARTITIONS, numberedRecords(COUNT, 'plain'), 100)
  await kafka.append({ topic: oddTopic, partition: 0 }, oddRecords)
  config = place.config()
  const encryptor = new EncryptorProcess(config)
  for (const one of place.topics) {
    const ends = await kafka.ends(one)
    await encryptor.until('done', () => kafka.hasReached(place.groupId, one, ends))
  }
  expect((await encryptor.stop()).code).toBe(0)
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

const verify = (...args: string[]) => runCommand(['verify', '--config', config, ...args])

describe('sealstream verify', () => {
  test('finds nothing wrong in what encryptors leave', async () => {
    const { code, stdout, stderr } = await verify()
    expect({ code, stderr, stdout }).toMatchInlineSnapshot()
  })
})
