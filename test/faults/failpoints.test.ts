import { afterAll, beforeAll, describe, test } from 'vitest'
import { FAILPOINTS } from '../../src/failpoints.ts'
import { FailpointChain } from '../support/failpoint-chain.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'

const timeout = 30 * 60_000
let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
})

afterAll(() => kafka.close())

describe.concurrent('encryptors that come one after the other to all failpoints', {
  timeout,
}, () => {
  test('and are killed there leave everything sealed once', () =>
    new FailpointChain(kafka, 'exit').run(FAILPOINTS))

  test('and sleep there until others have taken over leave everything sealed once', () =>
    new FailpointChain(kafka, 'stop').run(FAILPOINTS))

  test('and fail there get over it, and everything is sealed once', () =>
    new FailpointChain(kafka, 'throw').run(FAILPOINTS))
})
