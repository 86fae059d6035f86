import { afterAll, beforeAll, describe, test } from 'vitest'
import { FailpointChain } from '../support/failpoint-chain.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'

const timeout = 5 * 60_000
let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
})

afterAll(() => kafka.close())

/** A slice of what `npm run test:faults` tries at every failpoint. */
describe.concurrent('encryptors that come one after the other to failpoints', { timeout }, () => {
  test('and are killed there leave everything sealed once', () =>
    new FailpointChain(kafka, 'exit').run(['after-intent', 'before-sealed-mark', 'before-commit']))

  test('and sleep there until others have taken over leave everything sealed once', () =>
    new FailpointChain(kafka, 'stop').run(['before-commit', 'after-offsets-read']))

  test('and fail there get over it, and everything is sealed once', () =>
    new FailpointChain(kafka, 'throw').run(['after-object-put', 'after-rows', 'after-commit']))
})
