import { expect, test } from 'vitest'
import { first, kmsRefusal, s3Operations, s3Refusal } from '../support/aws-faults.ts'
import { faultBench } from '../support/fault-bench.ts'
import { SEVERAL_PARTS, sealUnderFault } from '../support/seal-under-fault.ts'
import { cqlProtocol, cqlWriteTimeout, kafkaProtocol } from '../support/wire-protocols.ts'
import type { Fate } from '../support/wire-session.ts'

// The most telling few of the faults; test/faults has the others, and takes longer.

const bench = faultBench()

test('a commit whose reply is lost is settled by fencing: no reference is missing or doubled', async () => {
  const place = bench.newPlace('lost-commit')
  const proxy = await bench.beforeTcp(bench.broker, { protocol: kafkaProtocol })
  const fates: Fate[] = ['reset', 'pass', 'reset']
  proxy.judge = ({ kind }) => (kind === 'EndTxn' ? (fates.shift() ?? 'pass') : 'pass')
  const changes = { 'kafka.brokers': [proxy.address], 'segment.messagesMax': 200 }
  await sealUnderFault(bench, place, { changes })
  expect(fates).toEqual([])
})

test('a segment whose completing succeeds and is answered by a 500 is taken for what it is', async () => {
  const place = bench.newPlace('complete-500')
  const proxy = await bench.beforeHttp(bench.stack.s3.endpoint)
  const fault = { kind: 'after', answer: s3Refusal(500, 'InternalError') } as const
  const faulty = first(2, s3Operations.complete, fault)
  const completed: string[] = []
  proxy.rule = (request) => {
    if (s3Operations.complete(request)) completed.push(request.url)
    return faulty(request)
  }
  const changes = { ...SEVERAL_PARTS.changes, 's3.endpoint': proxy.url }
  await sealUnderFault(bench, place, { ...SEVERAL_PARTS, changes })
  expect(proxy.struck).toBe(2)
  // A look at the object settles it; some servers would also take a second completing.
  expect(new Set(completed).size).toBe(completed.length)
})

test('an error inside a 200 does not pass for a completed segment', async () => {
  const place = bench.newPlace('error-in-200')
  const proxy = await bench.beforeHttp(bench.stack.s3.endpoint)
  const fault = { kind: 'instead', answer: s3Refusal(200, 'InternalError') } as const
  proxy.rule = first(2, s3Operations.complete, fault)
  const changes = { ...SEVERAL_PARTS.changes, 's3.endpoint': proxy.url }
  await sealUnderFault(bench, place, { ...SEVERAL_PARTS, changes })
  expect(proxy.struck).toBe(2)
})

test('mapping rows that were written though Cassandra says timeout are written again, to no harm', async () => {
  const place = bench.newPlace('write-timeout')
  const proxy = await bench.beforeTcp(bench.node, { protocol: cqlProtocol })
  let left = 4
  proxy.judge = ({ kind }) => (kind === 'BATCH' && left-- > 0 ? cqlWriteTimeout : 'pass')
  const changes = { 'cassandra.contactPoints': [proxy.address] }
  await sealUnderFault(bench, place, { changes })
  expect(left).toBeLessThanOrEqual(0)
})

test('a KMS that throttles three of four calls slows sealing down and stops nothing', async () => {
  const place = bench.newPlace('throttled')
  const proxy = await bench.beforeHttp(bench.stack.kms.endpoint)
  let calls = 0
  // The first call is the check of the start, which waits for nobody.
  proxy.rule = ({ target }) =>
    target === 'GenerateDataKey' && calls++ % 4 !== 0
      ? { kind: 'instead', answer: kmsRefusal(400, 'ThrottlingException') }
      : null
  const changes = {
    'kms.aws.endpoint': proxy.url,
    // Four keys at least, for no window may be stretched.
    'window.messagesMax': 500,
    'window.outageFactor': 1,
  }
  await sealUnderFault(bench, place, { changes })
  expect(proxy.struck).toBeGreaterThanOrEqual(9)
})
