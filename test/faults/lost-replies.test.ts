import { describe, expect, test } from 'vitest'
import { first, s3Operations } from '../support/aws-faults.ts'
import { faultBench } from '../support/fault-bench.ts'
import type { HttpRequest } from '../support/http-fault-proxy.ts'
import { SEVERAL_PARTS, sealUnderFault } from '../support/seal-under-fault.ts'
import { cqlProtocol, kafkaProtocol } from '../support/wire-protocols.ts'
import type { Fate } from '../support/wire-session.ts'

// Everywhere the work is done and the client does not hear of it.

const bench = faultBench()
const TIMES = 2
/** Waiting for a reply that does not come must end within the test. */
const SHORT = '2s'

describe.each<Fate & string>(['reset', 'lose answer'])('replies of Kafka (%s)', (fate) => {
  test.each([
    'InitProducerId',
    'AddPartitionsToTxn',
    'Produce',
    'AddOffsetsToTxn',
    'TxnOffsetCommit',
    'EndTxn',
    'Heartbeat',
  ])('%s: what the broker did is found out, and nothing is published twice', async (lost) => {
    const place = bench.newPlace(`lost-${lost.toLowerCase()}`)
    const proxy = await bench.beforeTcp(bench.broker, { protocol: kafkaProtocol })
    let left = TIMES
    proxy.judge = ({ kind }) => (kind === lost && left > 0 && left-- > 0 ? fate : 'pass')
    const changes = {
      'kafka.brokers': [proxy.address],
      'kafka.requestTimeoutMs': SHORT,
      'segment.messagesMax': 200,
    }
    await sealUnderFault(bench, place, {
      changes,
      during: (encryptor) => encryptor.until('without its replies', () => left === 0),
    })
  })
})

describe('replies of S3', () => {
  const opening = ({ method, url }: HttpRequest) =>
    method === 'POST' && url.includes('.seal?uploads')
  test.each([
    ['put', s3Operations.put, {}],
    ['create', opening, SEVERAL_PARTS],
    ['part', s3Operations.uploadPart, SEVERAL_PARTS],
    ['complete', s3Operations.complete, SEVERAL_PARTS],
  ] as const)('%s: what is stored is found again', async (name, matches, size) => {
    const place = bench.newPlace(`lost-${name}`)
    const proxy = await bench.beforeHttp(bench.stack.s3.endpoint)
    proxy.rule = first(TIMES, matches, { kind: 'lost' })
    const changes = { ...('changes' in size ? size.changes : {}), 's3.endpoint': proxy.url }
    await sealUnderFault(bench, place, { ...size, changes })
    expect(proxy.struck).toBe(TIMES)
  })
})

describe('replies of Cassandra', () => {
  test.each(['BATCH', 'EXECUTE'])('%s: the same rows are written again', async (lost) => {
    const place = bench.newPlace(`lost-${lost.toLowerCase()}`)
    const proxy = await bench.beforeTcp(bench.node, { protocol: cqlProtocol })
    const changes = {
      'cassandra.contactPoints': [proxy.address],
      'cassandra.requestTimeoutMs': SHORT,
    }
    let left = 0
    proxy.judge = ({ kind }) => (kind === lost && left > 0 && left-- > 0 ? 'lose answer' : 'pass')
    // Not before the start is over: it waits for nobody.
    await sealUnderFault(bench, place, {
      changes: {
        ...changes,
        'segment.ageMs': '3s',
        'window.messagesMax': 500,
        'window.outageFactor': 1,
      },
      during: async (encryptor) => {
        await encryptor.ready()
        left = TIMES
      },
    })
    expect(left).toBe(0)
  })
})

test('replies of the KMS: a data key that nobody received is never used, and another one is made', async () => {
  const place = bench.newPlace('lost-data-key')
  const proxy = await bench.beforeHttp(bench.stack.kms.endpoint)
  let calls = 0
  proxy.rule = ({ target }) =>
    target === 'GenerateDataKey' && calls++ % 2 === 1 ? { kind: 'lost' } : null
  const changes = {
    'kms.aws.endpoint': proxy.url,
    'window.messagesMax': 500,
    'window.outageFactor': 1,
  }
  await sealUnderFault(bench, place, { changes })
  expect(proxy.struck).toBeGreaterThan(2)
})
