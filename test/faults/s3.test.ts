import { expect, test } from 'vitest'
import { first, s3Operations, s3Refusal, share } from '../support/aws-faults.ts'
import { faultBench } from '../support/fault-bench.ts'
import { SEVERAL_PARTS, sealUnderFault } from '../support/seal-under-fault.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const bench = faultBench()
const { put, uploadPart, complete } = s3Operations
const SEED = Number(process.env.SEED ?? 22)

test.each([
  ['SlowDown', 503],
  ['InternalError', 500],
  ['RequestTimeout', 400],
] as const)('%s for three requests of ten is waited out', async (code, status) => {
  const place = bench.newPlace(`s3-${code.toLowerCase()}`)
  const proxy = await bench.beforeHttp(bench.stack.s3.endpoint)
  const writes = (request: Parameters<typeof put>[0]) =>
    put(request) || uploadPart(request) || complete(request)
  const fault = { kind: 'instead', answer: s3Refusal(status, code) } as const
  proxy.rule = share(0.3, new SeededRandom(SEED), writes, fault)
  const changes = { 's3.endpoint': proxy.url, 'segment.messagesMax': 50 }
  await sealUnderFault(bench, place, { changes })
  expect(proxy.struck).toBeGreaterThan(5)
})

test.each([
  ['that nobody answers', { kind: 'hung' }],
  ['whose connection is reset in the middle', { kind: 'torn', atByte: 2 * 1024 * 1024 }],
] as const)('a part %s is sent again', async (_, fault) => {
  const place = bench.newPlace(`s3-part-${fault.kind}`)
  const proxy = await bench.beforeHttp(bench.stack.s3.endpoint)
  proxy.rule = first(2, uploadPart, fault)
  const changes = {
    ...SEVERAL_PARTS.changes,
    's3.endpoint': proxy.url,
    's3.requestTimeoutMs': '3s',
  }
  await sealUnderFault(bench, place, { ...SEVERAL_PARTS, changes })
  expect(proxy.struck).toBe(2)
})

test('an S3 that takes its bytes slowly makes sealing slow, and nothing else', async () => {
  const place = bench.newPlace('s3-slow')
  const proxy = await bench.beforeHttp(bench.stack.s3.endpoint)
  // About 1 MiB a second, and an answer a second later than that.
  proxy.rule = (request) => {
    if (uploadPart(request)) return { kind: 'trickle', bytes: 64 * 1024, everyMs: 60 }
    return put(request) || complete(request) ? { kind: 'slow', ms: 1_000 } : null
  }
  const changes = { ...SEVERAL_PARTS.changes, 's3.endpoint': proxy.url }
  await sealUnderFault(bench, place, { ...SEVERAL_PARTS, changes })
  expect(proxy.struck).toBeGreaterThan(3)
})
