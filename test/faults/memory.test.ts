import { afterAll, beforeAll, expect, test } from 'vitest'
import { KafkaFixture } from '../support/kafka-fixture.ts'
import { sealUnderStalls } from '../support/memory-under-stall.ts'
import { SealingPlace } from '../support/sealing-place.ts'

const MIB = 1024 * 1024
const STALL_MS = 120_000
let kafka: KafkaFixture
let place: SealingPlace

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
  place = new SealingPlace('memory')
})

afterAll(async () => {
  await kafka.close()
  place.remove()
})

test('memory stays under its ceiling though the object store and then the mapping store stand still for two minutes', async () => {
  const inFlightBytesMax = 128 * MIB
  const findings = await sealUnderStalls(kafka, place, {
    ...{ messages: 400_000, valueBytes: 1024, inFlightBytesMax, config: {} },
    stalls: [
      ['s3', STALL_MS],
      ['cassandra', STALL_MS],
    ],
  })
  expect(findings.rssBytesMost).toBeLessThan(findings.rssBytesMax)
  expect(findings.inFlightBytesMost).toBeLessThanOrEqual(inFlightBytesMax)
}, 900_000)
