import { describe, expect, test } from 'vitest'
import { type ErrorCode, isSealError } from '../../src/errors.ts'
import { createReader } from '../../src/index.ts'
import { faultBench } from '../support/fault-bench.ts'
import { comparable } from '../support/messages.ts'
import { sealUnderFault } from '../support/seal-under-fault.ts'
import { selfSigned } from '../support/self-signed.ts'
import type { Toxic } from '../support/tcp-proxy.ts'
import { kafkaProtocol } from '../support/wire-protocols.ts'

// A bit that changes on the way, and streams that come in crumbs or end in the middle.

const bench = faultBench()
const KIB = 1024

/** Bytes of about 2 MiB of messages, so that harm lands in segments and not only in headers. */
const BODIES = { messages: 500, valueBytes: 4 * KIB }

test('a bit that changes on the way to S3 is refused by the checksum, and the object sent again', async () => {
  const place = bench.newPlace('flip-upload')
  const proxy = await bench.beforeTcp(bench.stack.s3.endpoint)
  const changes = { 's3.endpoint': `http://${proxy.address}`, 'segment.messagesMax': 60 }
  const harm = () => proxy.poison('requests', { kind: 'flip', atByte: 300 * KIB })
  harm()
  await sealUnderFault(bench, place, {
    ...BODIES,
    changes,
    during: async (encryptor) => {
      await encryptor.until('harmed', () => proxy.struck === 1)
      harm()
      await encryptor.until('harmed again', () => proxy.struck === 2)
    },
  })
})

test('a bit that changes on the way from S3 is a typed error or harmless, and never another message', async () => {
  const place = bench.newPlace('flip-download')
  const messages = await sealUnderFault(bench, place, { messages: 40, changes: {} })
  const [{ reference }] = (await bench.kafka.references(place.topic)) as [
    Awaited<ReturnType<typeof bench.kafka.references>>[number],
  ]
  const [message] = messages.filter(
    ({ partition, offset }) => partition === reference.partition && offset === reference.offset,
  )
  const proxy = await bench.beforeTcp(bench.stack.s3.endpoint)
  const { s3 } = bench.stack
  const codes = new Map<ErrorCode | 'opened', number>()
  let answerBytes = 0
  proxy.poison('answers', { kind: 'flip', atByte: Number.MAX_SAFE_INTEGER })
  for (let atByte = 0; atByte < 2_000; atByte += 7) {
    const reader = createReader({
      s3: {
        ...s3,
        prefix: place.prefix,
        endpoint: `http://${proxy.address}`,
        requestTimeoutMs: 1_000,
      },
      kms: place.kms,
    })
    proxy.poison('answers', { kind: 'flip', atByte })
    const before = proxy.struck
    try {
      const opened = await reader.openReference(reference)
      expect(comparable(opened)).toEqual(comparable(message as typeof opened))
      codes.set('opened', (codes.get('opened') ?? 0) + 1)
    } catch (error) {
      if (!isSealError(error)) throw error
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1)
    } finally {
      await reader.close()
    }
    if (proxy.struck === before) break
    answerBytes = atByte
  }
  process.stderr.write(`flips within ${answerBytes} bytes: ${JSON.stringify([...codes])}\n`)
  expect(answerBytes).toBeGreaterThan(500)
  expect(codes.get('SEAL_OPEN_FAILED')).toBeGreaterThan(0)
})

test('a bit that changes on a TLS connection to Cassandra ends it; the right rows are written on another', async () => {
  const place = bench.newPlace('flip-cql')
  const certificate = selfSigned()
  const tls = await bench.beforeTcp(bench.node, { tls: certificate })
  const proxy = await bench.beforeTcp(tls.address)
  const changes = {
    'cassandra.contactPoints': [proxy.address],
    'cassandra.tls.enabled': true,
    'cassandra.tls.caFile': bench.fileOf(place, 'ca.pem', certificate.certPem),
    'cassandra.requestTimeoutMs': '3s',
    'segment.messagesMax': 100,
  }
  await sealUnderFault(bench, place, {
    changes,
    during: async (encryptor) => {
      await encryptor.ready()
      for (const direction of ['requests', 'answers'] as const) {
        const before = proxy.struck
        proxy.poison(direction, { kind: 'flip', atByte: 200 })
        await encryptor.until('harmed', () => proxy.struck > before, 15_000)
      }
    },
  })
  expect(proxy.struck).toBeGreaterThanOrEqual(2)
})

/** Bytes by which the start is over, and long before all is sealed, by direction. */
const MID_RUN = {
  kafka: { requests: 150_000, answers: 500_000 },
  s3: { requests: 500_000, answers: 3_000 },
  cassandra: { requests: 100_000, answers: null },
} as const

describe.each<Toxic['kind'] & ('delay' | 'slice' | 'cut' | 'end')>([
  'delay',
  'slice',
  'cut',
  'end',
])('a stream with a toxic of kind %s', (kind) => {
  test.each(['kafka', 's3', 'cassandra'] as const)('from or to %s is got over', async (link) => {
    const place = bench.newPlace(`${kind}-${link}`)
    const target = { kafka: bench.broker, s3: bench.stack.s3.endpoint, cassandra: bench.node }[link]
    const options = link === 'kafka' ? { protocol: kafkaProtocol } : {}
    const proxy = await bench.beforeTcp(target, options)
    let strikes = 0
    for (const direction of ['requests', 'answers'] as const) {
      const atByte = MID_RUN[link][direction]
      if (kind === 'delay') proxy.poison(direction, { kind, ms: 30 })
      else if (kind === 'slice') proxy.poison(direction, { kind, bytes: 100 })
      else if (atByte !== null) {
        proxy.poison(direction, { kind, atByte })
        strikes++
      }
    }
    const changes = {
      kafka: { 'kafka.brokers': [proxy.address], 'kafka.requestTimeoutMs': '5s' },
      s3: { 's3.endpoint': `http://${proxy.address}`, 's3.requestTimeoutMs': '5s' },
      cassandra: {
        'cassandra.contactPoints': [proxy.address],
        'cassandra.requestTimeoutMs': '5s',
      },
    }[link]
    await sealUnderFault(bench, place, {
      valueBytes: KIB,
      messages: 2_000,
      changes: { ...changes, 'segment.messagesMax': 200 },
    })
    expect(proxy.struck).toBe(strikes)
  })
})
