import { afterAll, beforeAll, describe, test } from 'vitest'
import { FAILPOINTS } from '../../src/failpoints.ts'
import { FailpointTrial } from '../support/failpoint-trial.ts'
import { KafkaFixture } from '../support/kafka-fixture.ts'

const KEYSPACE = 't_failpoints'
let kafka: KafkaFixture

beforeAll(async () => {
  kafka = await KafkaFixture.connect()
})

afterAll(() => kafka.close())

describe.each(['throw', 'exit', 'stop'] as const)('an encryptor that meets %s', (action) => {
  test.concurrent.for(FAILPOINTS)('%s: everything is sealed once', async (label) => {
    await new FailpointTrial(kafka, label, KEYSPACE).run(action)
  })
})
